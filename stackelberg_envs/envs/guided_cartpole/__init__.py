"""The guided cart-pole: its picture; the game is declared in `guided_cartpole_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
