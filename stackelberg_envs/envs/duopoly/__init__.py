"""Duopoly: the leader's output as a commitment, the best one by nested maximisation, and the picture.

The environment itself is `envs/duopoly_v0.py`.
"""
