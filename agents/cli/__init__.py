"""The command line.

May import: everything; inside functions where it is heavy, so that `--help` is fast.
To add a command, copy one.
"""
