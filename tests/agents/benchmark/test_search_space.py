"""What is searched: derived from declarations, and nothing that would make the leader another competitor."""

from dataclasses import dataclass, fields
from typing import Literal

import pytest

import stackelberg_envs as se
from agents.benchmark.search_space import Range, _declared, search_space
from agents.leaders import leader_class
from agents.leaders.base import LEADERS
from agents.options import Count, NonNegative, Options, Positive, Share, Start, Unit, make_config
from stackelberg_envs.errors import ArgumentError
from tests.awkward_leaders import Awkward
from tests.games import ROOMS

COMMITMENT = se.make_game(ROOMS).commitment


@dataclass(frozen=True)
class Config(Options):
    rate: Positive = 0.1
    part: Unit = 0.5
    share: Share = 0.5
    times: Count = 20
    nothing: NonNegative = 0.0
    limit: Positive | None = None
    kind: Literal["a", "b"] = "a"
    fast: bool = False
    word: str = "x"
    start: Start = "zeros"
    learning_rate: Positive = 0.05


class Mine(Awkward):
    Config = Config


def plain(space):
    return {name: tuple(vars(each).values()) for name, each in space.items()}


def test_a_leader_of_ones_own_is_searched_by_what_its_options_declare():
    assert plain(search_space(Mine, COMMITMENT, {})) == {
        "rate": (pytest.approx(0.01), pytest.approx(1.0), True),
        "part": (0.0, 1.0, False),
        "share": (pytest.approx(0.05), 1.0, True),
        "times": (2, 200, True),
        "kind": (("a", "b"),),
        "fast": ((False, True),),
        "learning_rate": (0.003, 1.0, True),
    }


def test_what_is_fixed_is_not_searched():
    assert "kind" not in search_space(Mine, COMMITMENT, {"kind": "b"})
    with pytest.raises(ArgumentError, match="expected an option to tune"):
        search_space(Awkward, COMMITMENT, {"folder": "x"})


def test_no_choice_lets_a_leader_know_more():
    kind = leader_class("zero_order")
    assert kind.required_information(COMMITMENT, kind.Config(values="exact")) > kind.required_information(
        COMMITMENT, kind.Config()
    )
    assert "values" not in search_space(kind, COMMITMENT, {})


def test_ranges_hold_the_defaults_and_what_leaders_take():
    never, ranges = _declared()
    known = {item.name for name in LEADERS.names() for kind in LEADERS.named(name) for item in fields(kind.Config)}
    assert set(ranges) <= known
    assert not never & set(ranges)
    for name in LEADERS.names():
        for kind in LEADERS.named(name):
            own = [item.name for item in fields(kind.Config) if item.name in ranges]
            for option in own:
                default = getattr(kind.Config(), option)
                assert default is None or ranges[option].holds(default), (name, option)
                for end in (ranges[option].low, ranges[option].high):
                    make_config(kind.Config, {option: end}, name)


def test_ranges_are_checked():
    with pytest.raises(ArgumentError, match="log"):
        Range(0.1, 1.0, log="yes")
