"""The page of a leader or follower."""

from dataclasses import fields

import pytest

from agents.cli.main import main
from agents.followers.base import FOLLOWERS
from agents.leaders.base import LEADERS
from stackelberg_envs.docstrings import meanings_of
from tests.agents.cli.words import refused


def page(capsys, name):
    assert main(["show", name]) == 0
    return capsys.readouterr().out


def tables_of(text):
    """Return each table of options, by the name its lines begin with."""
    parts = [part.partition("\n\n")[0].splitlines()[2:] for part in text.split("\nOptions")[1:]]
    return [{line.split()[0]: line for line in lines if line[:1] != " "} for lines in parts]


def test_a_leader_shows_what_it_sees_and_its_options_with_type_default_and_meaning(capsys):
    out = page(capsys, "leader:bchg")
    assert "At the level REWARDS_OBSERVED it sees states, actions, its own reward and the follower's." in out
    rows, on_vectors, where_followers_interact = tables_of(out)
    assert "others" in where_followers_interact and "others" not in rows
    assert "Options on tabular games (--leader-option NAME=VALUE)" in out
    assert [name in rows for name in ("prior_visits", "replay")] == [True, False]
    assert [name in on_vectors for name in ("prior_visits", "replay")] == [False, True]
    for word in ("a number greater than 0", "none", "None: the leader tries many commitments"):
        assert word in rows["learning_rate"]
    assert "'adam' or 'sgd'" in rows["optimizer"]
    assert out.rstrip().endswith("Try it: stackelberg run ID --leader bchg")


def test_a_follower_shows_its_options(capsys):
    rows, *of_other_games = tables_of(page(capsys, "follower:soft_q_learning"))
    assert "per_context" in rows
    assert ["per_context" in others for others in of_other_games] == [False, False]
    assert "an integer of at least 1" in rows["steps"]
    assert "20000" in rows["steps"]
    assert "none" in rows["first_steps"]


@pytest.mark.parametrize("role", ["leader", "follower"])
def test_every_option_of_every_player_is_shown_with_a_meaning(role, capsys):
    registry = LEADERS if role == "leader" else FOLLOWERS
    for name in registry.names():
        tables = tables_of(page(capsys, f"{role}:{name}"))
        for kind, rows in zip(registry.named(name), tables, strict=True):
            assert list(rows) == [item.name for item in fields(kind.Config)]
            assert set(rows) <= set(meanings_of(kind.Config)), name
            assert ":mod:" not in "".join(rows.values())


def test_unknown_players_are_refused_in_one_line(capsys):
    assert "unknown leader 'bcgh'; did you mean 'bchg'" in refused(capsys, "show", "leader:bcgh")
    assert "unknown follower 'sofa'" in refused(capsys, "show", "follower:sofa")
    assert "import: expected a module that can be imported" in refused(capsys, "show", "leader:mine/Game-v0")


def test_a_bare_name_is_told_whose_it_is(capsys):
    assert "did you mean leader:bchg?" in refused(capsys, "show", "bchg")
    assert "did you mean leader:exact or follower:exact?" in refused(capsys, "show", "exact")
