"""Security game: the schedules of the guards, and the best coverage by linear programs.

The environment itself is `envs/security_game_v0.py`.
"""
