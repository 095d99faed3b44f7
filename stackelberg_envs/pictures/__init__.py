"""The kit for drawing games, and the picture of a game that has none of its own.

May import: `games`, `play` and the ground.
To add a picture, write two functions as `graph.py` has them, and name it where the environment is declared.
"""
