"""What a bundle tells its sidecar: the reference sample, the level and the thresholds."""
