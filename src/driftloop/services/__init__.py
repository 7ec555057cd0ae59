"""What runs and answers: predictor, router, controller."""
