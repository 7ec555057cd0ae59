"""Features: what a looked-up value is worth at an instant, and what is done without one."""
