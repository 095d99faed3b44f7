"""Searching a known model for the best commitment.

May import: `learning`, `observing`, `state` and the solvers for arrays.
To add a search, copy `box.py`.
"""
