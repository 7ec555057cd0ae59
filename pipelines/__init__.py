"""One DAG a file; ``python -m pipelines`` compiles them all to pipelines/compiled/."""
