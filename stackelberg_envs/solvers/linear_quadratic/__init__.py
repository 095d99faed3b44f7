"""Games with linear dynamics and quadratic rewards: Riccati equations and their derivatives.

May import: `games`, the other files of `solvers` and the ground.
To add a closed-form family of games, copy this folder.
"""
