"""The drift sidecar: takes a predictor's inference records, logs them, scores windows of them."""
