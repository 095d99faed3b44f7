"""Wholesale: the best price by nested maximisation.

The environment itself is `envs/wholesale_v0.py`.
"""
