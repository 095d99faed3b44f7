"""Pictures: written, of sane size, with what a reader needs, and never through global state."""

import sys

import numpy as np
import pytest

from agents.pictures import plotting
from agents.pictures.labels import groups_of
from agents.pictures.plotting import plot_learning_curve, plot_run
from agents.runs.records import RunRecord
from agents.runs.running import run
from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame

PNG = b"\x89PNG\r\n\x1a\n"
TOY, ROOMS, RANDOM = (f"stackelberg/{name}" for name in ("DiscreteToy-v1", "FourRooms-v0", "RandomTabular-v1"))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = plotting.save

    def keep(figure, path):
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(plotting, "save", keep)
    return figures


def record_of(leader="bchg", seed=0, values=(0.0, 1.0, 2.0), **changes):
    steps = 100.0 * np.arange(1, len(values) + 1)
    record = RunRecord(TOY, leader, "soft_value_iteration", len(values), 100, seed, status="finished")
    record.curve = {"observed_steps": steps, "leader_value": np.array(values, dtype=float)}
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def size_in_pixels(path):
    data = path.read_bytes()
    assert data.startswith(PNG)
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.mark.parametrize("game", [TOY, ROOMS, RANDOM])
def test_a_run_gives_a_picture_of_sane_size(game, tmp_path):
    record = run(game, updates=3, steps_per_update=200)
    path = plot_run(record, tmp_path / "run.png")
    width, height = size_in_pixels(path)
    assert 1000 <= width <= 2400
    assert 500 <= height <= 1600
    assert 10_000 < path.stat().st_size < 1_000_000


def test_a_grid_game_is_drawn_as_its_map(tmp_path, drawn):
    arguments = {"goals": [[1, 9], [11, 11]]}
    record = run(ROOMS, game_arguments=arguments, updates=2, steps_per_update=200, best_known=5.0)
    plot_run(record, tmp_path / "run.png")
    curve, floor, bar = drawn[0].axes
    (cells,) = (item for item in floor.collections if item.get_array() is not None and item.get_label()[0] == "_")
    np.testing.assert_array_equal(cells.get_array(), record.commitment)
    assert legend_of(floor) == ["follower's start", "leader's target", "follower's goals", "wall"]
    assert "reward units" in bar.get_ylabel()
    assert curve.get_xlabel() == "follower steps the leader has observed"
    assert "best known: 5" in legend_of(curve)


def test_places_are_drawn_where_they_are(tmp_path, drawn):
    plot_run(run(ROOMS, updates=1, steps_per_update=200), tmp_path / "run.png")
    places = {item.get_label(): item.get_offsets().tolist() for item in drawn[0].axes[1].collections}
    assert places["follower's start"] == [[1.0, 4.0]]
    assert places["leader's target"] == [[4.0, 8.0]]
    assert places["follower's goal"] == [[9.0, 1.0]]


def test_a_policy_is_drawn_as_a_table_of_probabilities(tmp_path, drawn):
    record = run(TOY, updates=2, steps_per_update=200)
    plot_run(record, tmp_path / "run.png")
    table = drawn[0].axes[1]
    assert [label.get_text() for label in table.get_yticklabels()] == ["S", "A", "B"]
    assert [text.get_text() for text in table.texts] == [f"{value:.3f}" for value in record.commitment.ravel()]


def test_the_record_of_an_unregistered_game_can_be_drawn(tmp_path):
    game = TabularGame(
        transition=np.ones((1, 2, 1, 1)),
        leader_reward=[[[0.0], [1.0]]],
        follower_reward=np.zeros((1, 2, 1)),
        initial=[1.0],
        leader_discount=0.5,
        follower_discount=0.5,
        temperature=0.1,
        commitment=PolicyTable(1, 2),
        name="mine",
    )
    record = run(game, updates=2, steps_per_update=20)
    assert size_in_pixels(plot_run(record, tmp_path / "by_record.png"))
    assert size_in_pixels(plot_run(record, tmp_path / "by_game.png", game))


def test_each_leader_has_thin_lines_and_one_bold_median(tmp_path, drawn):
    runs = [record_of("bchg", seed, (0.0, seed, 2.0 * seed)) for seed in range(3)]
    runs.append(record_of("naive", best_known=7.5))
    plot_learning_curve(runs, tmp_path / "curve.png")
    (axes,) = drawn[0].axes
    assert legend_of(axes) == ["bchg: median of 3 runs", "naive", "best known: 7.5"]
    median = next(line for line in axes.lines if line.get_label().startswith("bchg"))
    np.testing.assert_array_equal(median.get_xdata(), [0.0, 100.0, 200.0])
    np.testing.assert_array_equal(median.get_ydata(), [0.0, 1.0, 2.0])
    assert sum(line.get_linewidth() < 1.0 for line in axes.lines) == 3


def test_what_differs_besides_the_seed_is_in_the_legend(tmp_path, drawn):
    runs = [record_of(game_arguments={"reward": 1.0}), record_of(game_arguments={"reward": 2.0})]
    plot_learning_curve(runs, tmp_path / "curve.png")
    assert legend_of(drawn[0].axes[0]) == ["bchg, reward=1.0", "bchg, reward=2.0"]


def test_updates_without_an_exact_value_are_left_out(tmp_path, drawn):
    plot_learning_curve(record_of(values=(1.0, np.nan, 3.0)), tmp_path / "curve.png")
    np.testing.assert_array_equal(drawn[0].axes[0].lines[0].get_xdata(), [0.0, 200.0])


def test_without_any_exact_value_the_observed_return_is_drawn(tmp_path, drawn):
    record = record_of(values=(np.nan, np.nan))
    record.curve["observed_return"] = np.array([4.0, 5.0])
    plot_learning_curve(record, tmp_path / "curve.png")
    np.testing.assert_array_equal(drawn[0].axes[0].lines[0].get_ydata(), [4.0, 5.0])


def test_medians_of_runs_of_different_length_end_where_the_shortest_does():
    long = plotting._Curve(np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 2.0]))
    short = plotting._Curve(np.array([0.0, 15.0]), np.array([0.0, 3.0]))
    median = plotting._median([long, short])
    np.testing.assert_array_equal(median.steps, [0.0, 10.0, 15.0])
    np.testing.assert_allclose(median.values, [0.0, 1.5, 2.25])


def test_pictures_that_cannot_be_drawn_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="at least one, got none"):
        plot_learning_curve([], tmp_path / "curve.png")
    with pytest.raises(ArgumentError, match="at least one leader update"):
        plot_learning_curve(record_of(curve={}), tmp_path / "curve.png")
    with pytest.raises(ArgumentError, match="got neither"):
        plot_learning_curve(record_of(values=(np.nan,)), tmp_path / "curve.png")
    with pytest.raises(ArgumentError, match="final commitment"):
        plot_run(record_of(), tmp_path / "run.png")
    with pytest.raises(ArgumentError, match=r"ending in \.png"):
        plot_learning_curve(record_of(), tmp_path / "curve.txt")
    with pytest.raises(OutputError, match="can be written"):
        plot_learning_curve(record_of(), tmp_path / "nowhere" / "curve.png")


def test_without_matplotlib_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "stackelberg-envs\[plots\]"'):
        plot_learning_curve(record_of(), tmp_path / "curve.png")


def test_drawing_leaves_pyplot_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert plot_learning_curve(record_of(), tmp_path / "curve.svg").read_text().startswith("<?xml")


def differing(count):
    """Records of one leader, each with other options, of the length that real ones have."""
    common = {f"option_{i}": i for i in range(20)}
    return [record_of(leader_options={**common, "step": 0.1 * i, "start": [float(i)] * 200}) for i in range(count)]


@pytest.mark.parametrize("count", [2, 7, 60])
def test_legends_of_many_options_and_many_runs_can_be_read(count, tmp_path, drawn):
    # Warnings of matplotlib, that its axes collapsed, are errors here.
    path = plot_learning_curve(differing(count), tmp_path / "curve.png")
    (axes,) = drawn[0].axes
    labels = legend_of(axes)
    assert len(labels) == min(count, plotting.MOST_ENTRIES) and len(set(labels)) == len(labels)
    assert all("step=" in label and "option_" not in label for label in labels[: min(count, 39)])
    assert max(len(line) for label in labels for line in label.split("\n")) <= plotting.WHOLE_WIDTH
    renderer = drawn[0].canvas.get_renderer()
    box, picture = axes.get_legend().get_window_extent(renderer), drawn[0].bbox
    assert box.x0 >= 0 and box.y0 >= -1 and box.x1 <= picture.x1
    assert axes.get_window_extent(renderer).height > 300
    assert size_in_pixels(path)[0] == 1200
    styles = {(line.get_color(), line.get_linestyle()) for line in axes.lines[:count]}
    assert len(styles) == min(count, 28)


def test_options_are_compared_among_the_runs_of_one_leader_and_follower():
    runs = [
        record_of("bchg", leader_options={"learning_rate": 0.1, "start": "zeros"}, follower_options={"delay": 0}),
        record_of("bchg", leader_options={"learning_rate": 0.2, "start": "zeros"}, follower_options={"delay": 1}),
        record_of("exact", leader_options={"start": "random", "iterations": 5}, follower_options={"delay": 0}),
    ]
    assert list(groups_of(runs)) == [
        "bchg, learning_rate=0.1, delay=0",
        "bchg, learning_rate=0.2, delay=1",
        "exact, delay=0",
    ]


def test_runs_with_equal_short_labels_are_still_told_apart():
    runs = [record_of(leader_options={"start": [0.0] * 100 + [float(i)]}) for i in (0, 1, 1)]
    (one, other), found = groups_of(runs), groups_of(runs)
    assert other == f"{one} (2)" and list(found.values()) == [[0], [1, 2]]


def test_nothing_in_a_label_is_a_formula_or_left_out(tmp_path, drawn):
    runs = [record_of("_mine$x_1$"), record_of("a$b")]
    plot_learning_curve(runs, tmp_path / "curve.png")
    assert len(legend_of(drawn[0].axes[0])) == 2


def test_a_curve_ends_in_the_value_of_the_commitment_the_run_ends_with(tmp_path, drawn):
    record = run(TOY, leader="random_search", updates=4, steps_per_update=200)
    plot_learning_curve(record, tmp_path / "curve.png")
    line = drawn[0].axes[0].lines[0]
    assert (line.get_xdata()[-1], line.get_ydata()[-1]) == (800.0, record.actual_value)
    plot_run(record, tmp_path / "run.png")
    lines = {line.get_label(): line for line in drawn[1].axes[0].lines}
    recommended = next(line for label, line in lines.items() if label.startswith("recommended"))
    assert recommended.get_ydata()[-1] == record.leader_value
    assert any("episodes cut at 150 steps" in label for label in lines)
    assert any("play without end" in label for label in lines)


def test_observed_returns_are_not_called_exact(tmp_path, drawn):
    plot_run(run(TOY, updates=3, steps_per_update=200, evaluate_every=0), tmp_path / "run.png")
    labels = legend_of(drawn[0].axes[0])
    assert not any(label.startswith("announced: exact") for label in labels)
    assert any(label.startswith("announced, as observed") for label in labels)
    assert any(label.startswith("final, exact best response") for label in labels)


def test_no_record_names_code_that_is_run(tmp_path, monkeypatch):
    (tmp_path / "outsider.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    plot_run(record_of(game="outsider:mine/Game-v0", commitment=np.zeros((3, 2))), tmp_path / "run.png")
    assert "outsider" not in sys.modules
