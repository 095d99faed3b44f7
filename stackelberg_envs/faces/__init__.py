"""The faces of a game for PettingZoo, Gymnasium and vector code: thin shells, each over one `play.session.Session`.

May import: `games`, `solvers`, `play`, `pictures` and the ground.
To add a face, copy `parallel.py` and name it in `registration.py`.
"""
