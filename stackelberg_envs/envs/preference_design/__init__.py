"""Preference design: its answers, what people say of them, and its picture.

The game is declared in `preference_design_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
