"""One run from its options to its record: the loop, collection of play, evaluation, checkpoints, records.

May import: everything in `agents` but `pictures` and `cli`, and the public parts of the games.
To add a field of a record, start in `records.py`.
"""
