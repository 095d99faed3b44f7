"""What a leader sees of play: :class:`stackelberg_envs.games.trajectories.Trajectories`, handed on."""

from stackelberg_envs.games.trajectories import Trajectories, concatenate

__all__ = ["Trajectories", "concatenate"]
