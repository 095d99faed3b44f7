"""The building: its picture; the game is declared in `building_thermal_v1.py` beside this folder.

May import: everything in this package but `conformity`.
"""
