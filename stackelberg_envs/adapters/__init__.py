"""The faces of a game: thin shells, each over one :class:`stackelberg_envs.simulation.Session`."""
