"""Duopoly: the leader's output as a commitment, and the best one by nested maximisation.

The environment itself is `envs/duopoly_v0.py`.
"""
