"""Soft best responses on grids of states, where one bounded action is chosen: planning without tables of actions.

May import: `games` and the ground.
To add a game, write its moves as a `ValueGrid`, like `envs/guided_pendulum/grid.py`, and name it in the game's class.
"""
