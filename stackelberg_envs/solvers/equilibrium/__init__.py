"""Responses of followers that affect each other: fixed points of everybody's best response to all others.

May import: `games`, `solvers/soft` and the ground.
To add a kind of equilibrium, copy `logit.py` for the fixed point and `sensitivity.py` for its derivative.
"""
