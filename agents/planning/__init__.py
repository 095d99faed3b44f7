"""Searching a known model for the best commitment: `search.py`; `theta.py` and `box.py` say of what.

May import: `learning`, `observing`, `state` and the solvers for arrays.
To add a search, copy `box.py`: an objective, seeds, and a function that returns the `Search`.
"""
