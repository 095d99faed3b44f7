"""A leader in a process of its own, which receives nothing but bytes.

May import: `state`, `observing` and `leaders`.
To add a message, start in `messages.py`; both ends, `client.py` and `host.py`, read it.
"""
