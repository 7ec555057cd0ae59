"""Data: where requests come from, the built-in simulator or the folder of real ones."""

from driftloop.loop import LearningLoop
from driftloop.traffic import Traffic
from driftloop.usecase import Span
from usecases.support_routing import simulator, tickets

SIMULATOR, TICKETS = "simulator", "tickets"


def source_name(span: Span) -> str:
    """Return which of loop.yaml's sources ``span`` reads."""
    return TICKETS if span.data else SIMULATOR


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the traffic of ``span``; raise InvalidInput for a folder that cannot be used."""
    return tickets.read(span) if span.data else simulator.read(loop, span)
