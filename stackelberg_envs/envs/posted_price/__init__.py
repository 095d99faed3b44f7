"""Posted price: the best price by search over the demand of values without steps.

The environment itself is `envs/posted_price_v0.py`.
"""
