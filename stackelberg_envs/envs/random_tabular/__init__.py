"""Random tabular games: what is known of the best weights at given sizes, and the same again by another way.

The game is declared in `random_tabular_v1.py` beside this folder.

May import: everything in this package but `conformity`.
"""
