"""Global search for the best commitment: the set and its coordinates, one ascent, one start.

May import: `games`, the other files of `solvers` and the ground.
To add a kind of set, copy `Rows` in `sets.py` and name it in `SETS`.
"""
