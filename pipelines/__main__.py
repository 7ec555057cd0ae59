"""Compile every pipeline to YAML, the form that a cluster and a laptop both run."""

from pathlib import Path

from kfp import compiler

from pipelines.business_review import business_review
from pipelines.cohort import cohort
from pipelines.materialize import materialize
from pipelines.training import training

COMPILED = Path(__file__).parent / "compiled"
PIPELINES = {
    "training": training,
    "materialize": materialize,
    "business_review": business_review,
    "cohort": cohort,
}

if __name__ == "__main__":
    for name, pipeline in PIPELINES.items():
        compiler.Compiler().compile(pipeline, str(COMPILED / f"{name}.yaml"))
