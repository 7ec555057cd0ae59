"""Orders: what a person wants done once."""

from __future__ import annotations

from driftloop.spec.base import Spec


class Orders(Spec):
    """Each text is obeyed once; what follows its first word only makes it a new one.

    ``rollback``: a version, or ``previous``, takes all traffic, and what it replaces does not come
    again; ``approve``: the version that a rollout held goes into service; ``resume``: retrainings
    that promoted nothing are forgiven, any text.
    """

    rollback: str = ""
    approve: str = ""
    resume: str = ""
