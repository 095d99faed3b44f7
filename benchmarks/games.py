"""Games of benchmarks that are no environments of the package; in the repository: ``--import benchmarks.games``."""

import stackelberg_envs as se
from benchmarks.toll_game import toll_game

se.register("benchmarks/TollGame-v0", toll_game)
