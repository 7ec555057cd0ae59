"""Thin Kubeflow Pipelines components, one a file; their bodies call src/driftloop."""
