"""Drift: how a window is compared with its reference, in every process by the same rule.

partition.py  cuts a feature's values into cells, so that windows become counts
distribution.py, measure.py  a feature's reference in cells, and how it is measured
tally.py      the counts of one feature in one window; tallies of replicas add up
observed.py   a tally with the rule to judge it by, as an event carries both
served.py, learned.py        the predictions of a window; what is learnt to expect of them
effective.py  how many independent rows a tally is worth
evidence.py   the tests on a tally: statistic, p-value, effect
level.py      from a budget of false alarms to the level of one test
verdict.py, finding.py       the rule: what is a shift, a fault, what to look at; its answer

Needs numpy and scipy.
"""
