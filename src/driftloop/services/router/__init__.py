"""The router: one address before the predictors, whose backend can change under load."""
