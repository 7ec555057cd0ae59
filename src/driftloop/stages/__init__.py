"""Stages: the six of a loop, and the rules by which one sends it back to an earlier one."""
