"""Pursuit: the park from above, who moves where and is caught, what lights do, and the picture.

The game is declared in `pursuit_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
