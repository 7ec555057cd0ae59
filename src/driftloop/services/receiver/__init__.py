"""Receiver on Kubernetes: checks who sends a CloudEvent, and keeps it as an object."""
