"""What a player's state is, and how it becomes plain data and comes back.

May import: the ground of both packages.
To add a kind of state, copy one of the kinds in `stateful.py`.
"""
