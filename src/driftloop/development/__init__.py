"""Model development: what the columns tell, what a rule would do, where the model fails and why."""
