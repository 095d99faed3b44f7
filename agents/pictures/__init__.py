"""Pictures of runs.

May import: `runs`.
To add a picture, copy `plot_run` in `plotting.py`.
"""
