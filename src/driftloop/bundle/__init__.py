"""The signed-off unit of release: model, drift baseline and thresholds, promoted together."""
