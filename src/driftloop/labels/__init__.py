"""What became of predictions, joined to them as it was known, and when it is known enough."""
