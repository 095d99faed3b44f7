"""The warehouse: its floor plans, what the leader sets on a floor, and its picture.

The game is declared in `warehouse_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
