"""Failures: whether the candidate fails more often than it may, looked at whenever one likes.

If the candidate's rate of failures is r times the stable bundle's, each failure among n_c
requests of the one and n_s of the other is the candidate's with probability

    p(r) = r n_c / (r n_c + n_s)

For r above the factor r0 that is allowed, the product over all failures of p(r) / p(r0), or of
(1 - p(r)) / (1 - p(r0)) where it was the stable bundle's, has a mean of at most 1 as long as the
true factor is at most r0; so has the mean of such products over several r. By Ville's inequality
it ever reaches 1 / alpha with probability at most alpha, however often one looks (Ramdas et al.,
2023). The share of traffic may change from one look to the next: each has its own n_c and n_s.
"""

from __future__ import annotations

import math

from driftloop.value import Value

FACTORS = (1.5, 2.0, 4.0, 8.0, 32.0, 128.0)
"""How many times above what is allowed the rate may be, each as likely beforehand."""
CLEAR = 4.0
"""The factor whose absence is enough to be content."""


class Failures(Value):
    """Evidence that the candidate fails too often: the logarithm of each factor's product.

    ``waiting``: requests and failures of the candidate and the stable bundle since either last
    had none: nothing that failed is forgotten.
    """

    logs: tuple[float, ...] = (0.0,) * len(FACTORS)
    waiting: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    def after(
        self, candidate: tuple[int, int], stable: tuple[int, int], allowed: float
    ) -> Failures:
        """Return the evidence with one more look; each side is its requests and its failures.

        ``allowed``: times the stable bundle's rate that the candidate's may be.
        """
        own, other = self.waiting
        n_c, k_c = own[0] + candidate[0], own[1] + candidate[1]
        n_s, k_s = other[0] + stable[0], other[1] + stable[1]
        if not n_c or not n_s:
            return self.model_copy(update={"waiting": ((n_c, k_c), (n_s, k_s))})
        usual = _share(allowed, n_c, n_s)
        found = []
        for log, factor in zip(self.logs, FACTORS, strict=True):
            share = _share(allowed * factor, n_c, n_s)
            found.append(
                log + k_c * math.log(share / usual) + k_s * math.log((1 - share) / (1 - usual))
            )
        return Failures(logs=tuple(found))

    @property
    def log_evidence(self) -> float:
        """Return the logarithm of the mean product: a breach at alpha from log(1 / alpha) on."""
        most = max(self.logs)
        return most + math.log(sum(math.exp(log - most) for log in self.logs) / len(self.logs))

    def breach(self, alpha: float) -> bool:
        """Return whether it fails too often, wrongly with probability ``alpha`` over all looks.

        >>> one = Failures().after((50, 3), (950, 0), 1.0)
        >>> one.breach(0.01), Failures().after((500, 3), (500, 3), 1.0).breach(0.01)
        (True, False)
        """
        return self.log_evidence >= -math.log(alpha)

    def cleared(self, alpha: float) -> bool:
        """Return whether it surely does not fail CLEAR times as often as it may.

        Under that factor the inverse of its product is the martingale. Where nothing fails at all
        nothing is learnt of a ratio.
        """
        return self.logs[FACTORS.index(CLEAR)] <= math.log(alpha)


def _share(factor: float, n_c: int, n_s: int) -> float:
    return factor * n_c / (factor * n_c + n_s)
