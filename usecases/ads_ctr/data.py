"""Data: where the ads' traffic comes from, the built-in simulator or an aggregated real log."""

from driftloop.loop import LearningLoop
from driftloop.traffic import Traffic
from driftloop.usecase import Span
from usecases.ads_ctr import daily_log, simulator

SIMULATOR, DAILY_LOG = "simulator", "daily_log"


def source_name(span: Span) -> str:
    """Return which of loop.yaml's sources ``span`` reads."""
    return DAILY_LOG if span.data else SIMULATOR


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the traffic of ``span``; raise InvalidInput for a log that cannot be used."""
    return daily_log.read(loop, span) if span.data else simulator.read(loop, span)
