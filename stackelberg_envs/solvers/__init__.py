"""Exact answers: what the follower does, what a commitment is worth, and the derivative of that.

May import: `games` and the ground.
To add a solver for a kind of game, copy `linear_quadratic/solution.py` and name it in the game's class as its `solver`.
"""
