"""Data: whether sources keep what they promise, and whether rows are fit to learn from."""
