"""The kit for drawing games, and the picture of a game that has none of its own.

May import: `games`, `play` and the ground.
To add a picture, write a function as `generic.py` has it, and name it where the environment is declared.
"""
