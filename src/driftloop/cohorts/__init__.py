"""Cohorts: the job that reads what became mature and tells the controller of it."""
