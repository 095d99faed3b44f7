"""Matrix games: the named ones, and their values by linear programs.

The environment itself is `envs/matrix_v0.py`.
"""
