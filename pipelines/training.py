"""The training pipeline: from rows as they were known to a bundle and a verdict on it."""

from kfp import dsl

from components.build_features import build_features
from components.evaluate import evaluate
from components.gate import gate
from components.ingest import ingest
from components.package import package
from components.train import train
from components.validate import validate
from pipelines.credentials import lent, may_sign


@dsl.pipeline(name="training", description="Train, judge and package one loop's next model.")
def training(loop: str, store: str = "", order: str = "{}") -> str:
    """Return the gate's verdict.

    loop: a use case or its loop's name. store: the object store, by default DRIFTLOOP_STORE.
    order: the Retraining as driftloop.training.order writes it; by default a manual one, now.
    """
    rows = lent(ingest(loop=loop, store=store, order=order))
    valid = lent(validate(loop=loop, store=store, order=order, rows=rows.outputs["rows"]))
    joined = lent(build_features(loop=loop, store=store, order=order, valid=valid.outputs["valid"]))
    joined.set_display_name("Build features")
    frame = joined.outputs["joined"]
    models = lent(train(loop=loop, order=order, joined=frame))
    candidate, release = models.outputs["candidate"], models.outputs["release"]
    scores = lent(
        evaluate(
            loop=loop, store=store, order=order, joined=frame, candidate=candidate, release=release
        )
    )
    scored = scores.outputs["scored"]
    packed = lent(
        package(loop=loop, store=store, order=order, joined=frame, release=release, scored=scored)
    )
    may_sign(packed)
    bundle = packed.outputs["bundle"]
    verdict = lent(gate(loop=loop, store=store, order=order, scored=scored, bundle=bundle))
    return verdict.output
