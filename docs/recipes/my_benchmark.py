"""A leader of one's own against four others, on three games with five seeds each; and a table and a figure."""

from my_leader import MyLeader

import agents

GAMES = ["stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0", "stackelberg/RandomTabular-v1"]
if __name__ == "__main__":
    agents.sweep(GAMES, [MyLeader, "bchg", "naive", "cma_es", "certainty_equivalent"], seeds=5, output="runs/mine")
    found = agents.compare("runs/mine")
    print(found.table(against="my_leader"))  # noqa: T201 - this is what it is for
    found.plot("mine.pdf")
