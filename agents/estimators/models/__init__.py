"""Models of the game that are fitted to observed play.

May import: `observing`, `state`, the other estimators and the solvers for arrays.
To add a model, copy `counted.py`.
"""
