"""Spec: the parts of a LearningLoop's declaration that other modules take alone."""
