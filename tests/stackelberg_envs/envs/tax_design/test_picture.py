"""The picture of tax design: what a person must be able to find in it."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.tax_design import picture as rendering_tax
from stackelberg_envs.pictures import canvas as rendering

X = np.array([0.5, 0.1, 2.0, 0.0], np.float32)


def shown(mode, x=None, steps=0, **kwargs):
    env = se.tax_design_v0.parallel_env(render_mode=mode, **kwargs)
    env.reset(seed=0)
    if x is not None:
        env.step({"leader_0": x})
    followers = {name: np.array([3, 1, 2, 4]) for name in env.agents if name != "leader_0"}
    for _ in range(steps):
        env.step({"leader_0": x, **followers})
    return env.render()


def test_all_frames_of_an_episode_have_one_size():
    sizes = {shown("rgb_array", *rest).shape for rest in ((), (X,), (X, 1), (X, 4))}
    assert sizes == {(rendering_tax.HEIGHT, rendering_tax.WIDTH, 3)}


def test_bars_are_as_high_as_the_rates():
    picture = shown("rgb_array", X)
    middle = rendering_tax.BAR_WIDTH / 2
    for d, colour in enumerate([rendering.STRONGEST, *(3 * [rendering.TARGET])]):
        column = round(rendering_tax.BARS_LEFT + d * (rendering_tax.BAR_WIDTH + rendering_tax.BAR_GAP) + middle)
        top, height = rendering_tax.BARS_TOP, rendering_tax.BARS_HEIGHT
        coloured = (picture[round(top) : round(top + height), column] == np.array(colour, np.uint8)).all(axis=1).sum()
        assert abs(coloured - height * X[d] / 2.0) <= 1


def test_households_stand_at_their_assets_in_the_colour_of_their_type():
    env = se.tax_design_v0.parallel_env(render_mode="rgb_array", num_households=2)
    env.reset(seed=3)
    env.step({"leader_0": X})
    _, _, _, _, infos = env.step({"leader_0": X, "follower_0": np.zeros(4, int), "follower_1": np.zeros(4, int)})
    picture = env.render()
    for i in range(2):
        assets, kind = infos[f"follower_{i}"]["next_state"]
        row = round(rendering_tax.PLOT_TOP + 20 + 18 * i)
        np.testing.assert_array_equal(
            picture[row, round(rendering_tax._column(assets))], rendering_tax.TYPES[int(kind)]
        )


def test_histogram_is_where_best_responses_are():
    one = se.tax_design_v0.make_game().solve(X).types[0]
    edges = np.arange(-60.0, 61.0, 4.0)
    share = rendering_tax._shares(one, edges)
    middles = 0.5 * (edges[1:] + edges[:-1])
    nodes = one.saving.problem.grid.nodes
    assert abs(share @ middles - one.saving.occupancy @ nodes / one.saving.occupancy.sum()) < 0.2


def test_the_text_tells_rates_and_households():
    assert "not announced yet" in shown("ansi")
    told = shown("ansi", X, 1)
    assert "income 0.500, VAT 1 0.100, VAT 2 2.000, VAT 3 0.000" in told
    assert "worked 2.67 hours, bought 1.25, 2.5, 5" in told
