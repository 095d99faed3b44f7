"""Comparing leaders: suites of tasks, the jobs of a sweep and where they run, their records, statistics and reports.

May import: everything in `agents` but `cli`, and the public parts of the games.
To see how one job becomes a record, read `jobs.py`, `measuring.py`, `worker.py`, `store.py` in this order.
"""
