"""Dynamic duopoly: how a competitor's stock adjusts, what that is worth to the leader, and the picture.

The game is declared in `dynamic_duopoly_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
