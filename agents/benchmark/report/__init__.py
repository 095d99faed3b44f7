"""One self-contained HTML page about a benchmark: leaderboard, curves, commitments, failures and provenance.

May import: what `benchmark` may, and the rest of `benchmark`.
To see how records become a page, read `contents.py`, `charts.py`, `sections.py`, `page.py` in this order.
"""
