"""What Driftloop's processes say to each other; standard library only.

Both locks install this package: the platform's and the drift sidecar's. Nothing here may
need numpy, pydantic or a client library, because the two environments pin different ones.
"""
