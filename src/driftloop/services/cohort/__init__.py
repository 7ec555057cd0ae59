"""The cohort job on Kubernetes: scores what became mature and tells the receiver."""
