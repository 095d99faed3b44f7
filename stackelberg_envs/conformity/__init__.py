"""Checks of games and environments, a user's own among them: `check_game` and `check_env`.

May import: everything in this package.
To add a check, copy a clause in the file of its subject.
"""
