"""Thin adapters to Feast, Kubeflow Pipelines and the other systems Driftloop drives."""
