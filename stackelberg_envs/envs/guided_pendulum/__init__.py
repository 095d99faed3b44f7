"""The guided pendulum: its picture; the game is declared in `guided_pendulum_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
