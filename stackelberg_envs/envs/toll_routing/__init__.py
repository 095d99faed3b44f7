"""Toll routing: its networks and their data; the game is declared in `toll_routing_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
