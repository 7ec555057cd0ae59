"""Driftloop's objects on Kubernetes: their schemas and how they are written; no client here."""
