"""Tax design: the economy, its follower's problem on a grid of assets, the solution and the picture.

May import: everything in this package but `conformity`.
To add an environment that needs more than one file, copy this folder and `tax_design_v0.py`.
"""
