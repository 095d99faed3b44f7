"""Four-Rooms: its picture; the game is declared in `four_rooms_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
