"""Optimizers, parametrisations and networks.

May import: `state`, and of the games their commitments.
To add an optimizer, copy `Sgd` in `optimizers.py`; a parametrisation, `Identity` in `parametrisations.py`.
"""
