"""Games of tables as graphs: what a person must find in them."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.pictures import canvas, graph
from stackelberg_envs.play.session import Session
from tests.pictures import has, shown

TOY = "stackelberg/DiscreteToy-v1"
EVEN = np.full((3, 2), 0.5)


def line(commitment, **options):
    """Return a game on a line of five states: stay, or go on to the end."""
    there = np.minimum(np.arange(5)[:, None] + [0, 1], 4)
    return se.TabularGame(
        transition=np.eye(5)[there][:, None],
        leader_reward=np.zeros((5, 1, 2)),
        follower_reward=np.zeros((5, 1, 2)),
        initial=np.eye(5)[0],
        terminal=np.eye(5)[4],
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        commitment=commitment,
        **options,
    )


def drawn(game, x=None, mode="rgb_array", actions=()):
    session = Session(game)
    session.reset(seed=0)
    if x is not None:
        session.commit(x)
    for action in actions:
        session.play([action])
    return canvas.draw(session, canvas.GENERIC_RENDERER, mode)


def test_text_has_states_policy_and_shown_action():
    text = shown(TOY, "ansi", np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]))
    assert "[S] A B" in text
    assert "(0.25, 0.75)" in text


def test_before_the_commitment_nobody_is_anywhere_and_no_policy_is_shown():
    picture, text = shown(TOY, "rgb_array"), shown(TOY, "ansi")
    assert not (picture[:, : int(graph.KEY)] == np.array(canvas.FOLLOWER, np.uint8)).all(axis=2).any()
    assert not (picture[:, : int(graph.KEY)] == np.array(canvas.STRONGEST, np.uint8)).all(axis=2).any()
    assert "not announced yet" in text


def count(picture, colour, columns=slice(0, int(graph.KEY))):
    return int((picture[:, columns] == np.array(colour, np.uint8)).all(axis=2).sum())


def test_rings_are_orange_as_far_as_the_leader_plays_its_second_action():
    few, many = (shown(TOY, "rgb_array", np.array([[1 - p, p]] * 3)) for p in (0.2, 0.8))
    assert 2.5 < count(many, canvas.STRONGEST) / count(few, canvas.STRONGEST) < 6.0


def test_what_is_charged_is_orange_and_what_is_paid_is_green():
    tolls = np.zeros((5, 1, 2))
    free, charged, paid = (
        drawn(line(se.Incentive(-1.0, 1.0, (5, 1, 2))), tolls + np.array([0.0, amount]), actions=[1])
        for amount in (0.0, -0.5, 0.5)
    )
    assert [count(free, colour) for colour in (canvas.STRONGEST, canvas.TARGET)] == [0, 0]
    assert count(charged, canvas.STRONGEST) > 20 > count(charged, canvas.TARGET)
    assert count(paid, canvas.TARGET) > 20 > count(paid, canvas.STRONGEST)


def test_where_play_ends_has_a_second_edge():
    ends = drawn(line(se.Incentive(-1.0, 1.0, (5, 1, 2))))
    goes_on = drawn(line(se.Incentive(-1.0, 1.0, (5, 1, 2))).replace(terminal=np.zeros(5)))
    graphs = slice(0, int(graph.KEY))
    assert not np.array_equal(ends[:, graphs], goes_on[:, graphs])


def test_entries_of_the_commitment_have_their_names_and_the_key_says_how_many_are_left_out():
    names = [f"toll {i}" for i in range(10)]
    game = line(se.Incentive(-1.0, 1.0, (5, 1, 2), names=names))
    x = np.zeros((5, 1, 2))
    x[2, 0, 1] = -1.0
    plain = drawn(game.replace(commitment=se.Incentive(-1.0, 1.0, (5, 1, 2))), x)
    key = int(graph.KEY) - 4  # letters lean over their edge
    assert not np.array_equal(plain[:, key:], drawn(game, x)[:, key:])
    assert np.array_equal(plain[:, :key], drawn(game, x)[:, :key])


@pytest.mark.parametrize("S", [1, 2, 40, 41, 2000])
def test_games_of_any_size_are_drawn(S):
    env = se.follower_env("stackelberg/RandomTabular-v1", S=S, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (graph.HEIGHT, graph.WIDTH, 3)
    assert has(picture, canvas.FOLLOWER)


def test_a_map_stands_as_it_is():
    game = se.make_game("stackelberg/FourRooms-v0")
    points = graph._places(game)
    cells = np.asarray(game.facts["cells"])
    assert np.array_equal(np.argsort(points[:, 0], kind="stable"), np.argsort(cells[:, 0], kind="stable"))
    assert has(drawn(game, np.zeros(104)), canvas.FOLLOWER)


def test_contexts_and_several_followers_are_drawn():
    game = se.make_game("stackelberg/RandomTabular-v1", S=12, K=3, terminal=2).replace(num_followers=4)
    session = Session(game)
    session.reset(seed=3)
    session.commit(np.zeros(game.commitment.shape))
    picture = canvas.draw(session, canvas.GENERIC_RENDERER, "rgb_array")
    assert has(picture, canvas.FOLLOWER)
    assert canvas.draw(session, canvas.GENERIC_RENDERER, "ansi").count("follower ") >= 4


def between(game, x=None):
    """Return (start, end, bend) of each link drawn, with the follower at the first state."""
    session = Session(game)
    session.reset(seed=0)
    if x is not None:
        session.commit(x)
    links = graph._graph(canvas._frame(session)).links
    return [(link.start, link.end, link.bend) for link in links]


def test_parallel_roads_are_apart_and_the_key_has_all_entries_where_there_is_room():
    pigou = se.make_game("stackelberg/TollRouting-v0")
    for x in (None, [0.0, 0.0], [0.0, 0.5]):
        assert between(pigou, x) == [(0, 1, graph.BEND), (0, 1, 2 * graph.BEND)]
    key = slice(int(graph.KEY) - 4, None)
    one_entry = se.make_game("stackelberg/TollRouting-v0", tolled=[1])
    both, alone = (drawn(game, x)[:, key] for game, x in ((pigou, [0.0, 0.5]), (one_entry, [0.5])))
    # The bar of the road without a toll is there too.
    assert count(both, canvas.STRONGEST, slice(None)) - count(alone, canvas.STRONGEST, slice(None)) > 40


def test_actions_that_pay_the_same_are_one_link_and_those_that_are_not_feasible_none():
    same = np.eye(5)[np.minimum(np.arange(5)[:, None] + [1, 1], 4)][:, None]
    plain = line(se.StateIncentive(-1.0, 1.0, where=np.ones(5))).replace(transition=same)
    assert [link[:2] for link in between(plain)] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    closed = line(se.Incentive(-1.0, 1.0, (5, 1, 2)), feasible=np.tile([True, False], (5, 1)))
    assert between(closed) == []
