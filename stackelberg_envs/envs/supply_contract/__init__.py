"""Supply contract: the season of the shop, what both could earn together, and the picture.

The game is declared in `supply_contract_v0.py` beside this folder.

May import: everything in this package but `conformity`.
"""
