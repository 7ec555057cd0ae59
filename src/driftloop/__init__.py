"""Driftloop: an ML system declared once, that keeps itself right."""
