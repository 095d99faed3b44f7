"""One step, one episode or many steps of a game under a commitment.

May import: `games` and the ground; never a solver.
To add a kind of game, copy `vector.py` and register its simulator in `simulator_of`, its fast path in `rollout`.
"""
