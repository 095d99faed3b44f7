"""How a commitment x enters a game, and how derivatives come back to it: one file per kind.

May import: `games/cotangents.py`, `games/transitions.py` and the ground; what is of vectors also `games/samples.py` and
the file of its form.
To add a kind, copy `policy_table.py`.
"""
