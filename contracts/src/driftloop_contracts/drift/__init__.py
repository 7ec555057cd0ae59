"""Drift: how a window is compared with its reference, in every process by the same rule.

partition.py  cuts a feature's values into cells, so that windows become counts
tally.py      the counts of one feature in one window; tallies of replicas add up
effective.py  how many independent rows a tally is worth
evidence.py   the tests on a tally: statistic, p-value, effect
level.py      from a budget of false alarms to the level of one test
verdict.py    the rule: what is a shift, what is a fault, what to look at

Needs numpy and scipy.
"""
