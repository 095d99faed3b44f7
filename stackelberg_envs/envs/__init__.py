"""One environment per file; the folder is walked by :mod:`stackelberg_envs.registration`."""
