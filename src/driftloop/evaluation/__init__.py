"""How good a model is, how two compare, and whether one may replace the other."""
