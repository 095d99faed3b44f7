"""What a game is: declared here, solved and played elsewhere.

May import: the ground (`errors`, `arrays`, `validation`) and nothing else; no compiler, so that games load fast.
To add a kind of game, copy `tabular.py`; to add one game, write a file in `stackelberg_envs/envs`.
"""
