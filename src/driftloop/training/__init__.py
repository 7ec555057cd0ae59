"""From known rows to a fitted model: window, contract, split, fit and choice."""

import atexit
import gc
import os

if os.environ.get("_KFP_RUNTIME") == "true":
    # KFP's mark of a step's own process. It lives for seconds, and a fifth of them would go to
    # looking for cycles among imported libraries, at its end above all.
    gc.disable()
    atexit.register(gc.freeze)
