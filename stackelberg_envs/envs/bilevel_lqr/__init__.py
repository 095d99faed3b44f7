"""The bilevel LQR: its picture; the game is declared in `bilevel_lqr_v1.py` beside this folder.

May import: everything in this package but `conformity`.
"""
