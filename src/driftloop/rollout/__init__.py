"""Rollout: traffic moves to a new bundle in steps, and back at once if it turns out otherwise."""
