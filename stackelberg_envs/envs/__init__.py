"""One environment, one file `<name>_v<int>.py`, with a folder of its own where a file is not enough.

May import: everything in this package but `conformity`.
To add one, copy `discrete_toy_v1.py`; its id follows from the file's name, nothing else is to be edited.
"""
