"""Allocation: the best mechanism by enumeration, and the picture.

The environment itself is `envs/allocation_v0.py`.
"""
