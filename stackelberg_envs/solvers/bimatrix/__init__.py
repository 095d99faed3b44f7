"""Matrix games with a leader who commits: best commitments by linear programs, equilibria without commitment.

May import: the ground. Pure functions on arrays, letters as in `games/tabular.py`; K types of the follower. To add a
solution, copy `nash.py`.
"""
