"""Contract: the tree of outcomes, the best contract by backward induction and by a program, and the picture.

The environment itself is `envs/contract_v0.py`.
"""
