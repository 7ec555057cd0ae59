"""Scaffold: a use case to begin with, which runs as it is."""
