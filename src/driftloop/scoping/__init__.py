"""Scoping: is this a problem for ML, for a rule, or not yet one; and what is within reach."""
