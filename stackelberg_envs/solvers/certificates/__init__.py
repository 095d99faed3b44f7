"""Certificates: bounds on the leader's optimum over the whole set of commitments, by branch and bound on boxes.

May import: `games`, `solvers.soft` and the ground.
To read: `affine.py` (which games), `directions.py` (in which coordinates), `slopes.py` and `quadratics.py` (the two
bounds of a box), `bounds.py` (both), `search.py`, then `certifying.py`. For temperature 0 `responses.py` (the program
of a box) and `program_search.py`.
"""
