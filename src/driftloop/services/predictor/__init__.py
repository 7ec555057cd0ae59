"""The predictor: one verified bundle behind KServe's model server, V1 and V2 over HTTP."""
