"""Story: a use case's way through the six stages, turn by turn, as its stages find it."""
