"""The command line, a file per command.

May import: everything; inside functions where it is heavy, so that `--help` is fast.
To add a command, copy `plot.py` and name it in `main.py`.
"""
