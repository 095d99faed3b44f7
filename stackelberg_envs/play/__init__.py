"""One step, one episode or many steps of a game under a commitment.

May import: `games` and the ground; never a solver.
To add a kind of game, copy the simulator of vector games in `session.py` and register it with `simulator_of`.
"""
