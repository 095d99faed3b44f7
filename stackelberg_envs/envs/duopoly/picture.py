"""The picture of a duopoly: what each output pays, with one follower; bars of what all have done, with several."""

from __future__ import annotations

from stackelberg_envs.pictures.canvas import Frame, Renderer
from stackelberg_envs.pictures.generic import generic
from stackelberg_envs.pictures.offers import offers

__all__ = ["duopoly"]


def _renderer(frame: Frame) -> Renderer:
    return offers if frame.game.facts["num_followers"] == 1 else generic


#: A duopoly for a person.
duopoly = Renderer(lambda frame: _renderer(frame).pixels(frame), lambda frame: _renderer(frame).text(frame))
