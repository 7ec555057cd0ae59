"""Cohorts: how often a cluster scores mature records, and how long it waits for outcomes."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from driftloop.quantities import Duration
from driftloop.spec.base import Spec

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


class Cohorts(Spec):
    """When the cohort job runs (UTC), and what it scores.

    ``every``: length of a cohort, whole hours that divide a day, counted from midnight; ``delay``:
    after a cohort's end, the time that ingestion has to write what was known by then.
    """

    every: Duration = Field(default="1d", validate_default=True)
    delay: Duration = Field(default="1h", validate_default=True)

    @model_validator(mode="after")
    def _is_a_schedule(self) -> Cohorts:
        if not self.every or self.every % HOUR or DAY % self.every:
            raise ValueError("an 'every' of whole hours that divide a day, such as '6h'")
        if self.delay % MINUTE or not self.delay < self.every:
            raise ValueError("a delay of whole minutes, less than 'every'")
        return self

    @property
    def schedule(self) -> str:
        """Return when the job runs, as cron writes it.

        >>> Cohorts().schedule, Cohorts(every="6h", delay="90m").schedule
        ('0 1 * * *', '30 1-23/6 * * *')
        >>> Cohorts(every="1h", delay="10m").schedule
        '10 * * * *'
        """
        hour, minute = divmod(self.delay // MINUTE, 60)
        step = self.every // HOUR
        hours = {1: "*", 24: str(hour)}.get(step, f"{hour}-23/{step}")
        return f"{minute} {hours} * * *"
