"""Energy pricing: the household's day, the best surcharges by first-order conditions and by search, and the picture.

The environment itself is `envs/energy_pricing_v0.py`.
"""
