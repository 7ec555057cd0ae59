"""The training pipeline: from rows as they were known to a bundle and a verdict on it."""

from kfp import dsl

from components.build_features import build_features
from components.evaluate import evaluate
from components.gate import gate
from components.ingest import ingest
from components.package import package
from components.train import train
from components.validate import validate


@dsl.pipeline(name="training", description="Train, judge and package one loop's next model.")
def training(loop: str, store: str = "", order: str = "{}") -> str:
    """Return the gate's verdict.

    loop: a use case or its loop's name. store: the object store, by default DRIFTLOOP_STORE.
    order: the Retraining as driftloop.training.order writes it; by default a manual one, now.
    """
    # Nothing here may be answered from a cache: the data and the clock are part of the input.
    rows = ingest(loop=loop, store=store, order=order).set_caching_options(False)
    valid = validate(loop=loop, order=order, rows=rows.outputs["rows"]).set_caching_options(False)
    joined = build_features(loop=loop, store=store, valid=valid.outputs["valid"])
    joined.set_caching_options(False).set_display_name("Build features")
    frame = joined.outputs["joined"]
    models = train(loop=loop, order=order, joined=frame).set_caching_options(False)
    candidate, release = models.outputs["candidate"], models.outputs["release"]
    scores = evaluate(
        loop=loop, store=store, order=order, joined=frame, candidate=candidate, release=release
    ).set_caching_options(False)
    scored = scores.outputs["scored"]
    packed = package(
        loop=loop, store=store, order=order, joined=frame, release=release, scored=scored
    ).set_caching_options(False)
    bundle = packed.outputs["bundle"]
    verdict = gate(loop=loop, store=store, order=order, scored=scored, bundle=bundle)
    return verdict.set_caching_options(False).output
