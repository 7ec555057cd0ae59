"""Intake: other people's events about a model's traffic, as inference batches."""
