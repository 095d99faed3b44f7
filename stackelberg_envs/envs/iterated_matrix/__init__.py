"""Iterated matrix games: the twelve ordinal games, and the best deterministic strategies of memory one.

The environment itself is `envs/iterated_matrix_v0.py`.
"""
