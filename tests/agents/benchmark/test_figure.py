"""A paper's figure: every leader told apart, both kinds of commitments, the best known value, and nothing cut off."""

import itertools
import sys

import numpy as np
import pytest

import agents
from agents.benchmark import figure as module
from agents.benchmark.figure import COLOURS, MARKERS
from agents.benchmark.store import Store
from stackelberg_envs.errors import ArgumentError, MissingExtraError
from tests.made_records import made_failure, made_job, made_record, made_store

#: Linear RGB as people see it who lack one kind of cone (Machado, Oliveira and Fernandes, 2009), and as others do.
VISIONS = {
    name: np.reshape(entries, (3, 3))
    for name, entries in {
        "all": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "no long": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
        "no middle": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881),
        "no short": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039),
    }.items()
}
#: Linear RGB to the cones of the colour space Oklab, and from their cube roots to its coordinates.
CONES = np.reshape((0.41222, 0.53633, 0.05145, 0.21190, 0.68070, 0.10740, 0.08830, 0.28172, 0.62998), (3, 3))
LAB = np.reshape((0.21045, 0.79362, -0.00407, 1.97800, -2.42859, 0.45059, 0.02590, 0.78277, -0.80868), (3, 3))


def oklab(colour, vision):
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return LAB @ np.cbrt(CONES @ np.clip(VISIONS[vision] @ linear, 0.0, 1.0))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written, as objects."""
    figures = []

    def save(figure, path):
        figure.draw_without_rendering()
        figures.append(figure)
        return path

    monkeypatch.setattr(module, "save", save)
    return figures


def many(folder, leaders, tasks=("DiscreteToy",), seeds=2):
    return made_store(folder / "store", [f"leader{i}" for i in range(leaders)], tasks, seeds).folder


@pytest.mark.parametrize("vision", sorted(VISIONS))
def test_colours_are_told_apart_with_any_colour_vision(vision):
    points = {colour: oklab(colour, vision) for colour in (*COLOURS, "#000000", "#FFFFFF")}
    distances = {pair: np.linalg.norm(points[pair[0]] - points[pair[1]]) for pair in itertools.combinations(points, 2)}
    # The least within Okabe and Ito's six is 0.063.
    assert min(distances.values()) > 0.06, min(distances, key=distances.get)


def test_fourteen_leaders_have_fourteen_colours_and_markers():
    assert len(set(COLOURS)) == len(set(MARKERS)) == 14


@pytest.mark.parametrize(("leaders", "tasks", "what"), [(2, 1, "curves"), (14, 4, "curves"), (14, 1, "profiles")])
def test_nothing_is_cut_off_or_covered(tmp_path, drawn, leaders, tasks, what):
    names = tuple(f"A long name of a task number {i}" for i in range(tasks))
    agents.compare(many(tmp_path, leaders, names)).plot(tmp_path / "x.png", what)
    (figure,) = drawn
    width, height = figure.get_size_inches() * figure.dpi
    (legend,) = figure.legends
    for box in [legend.get_window_extent(), *(axes.get_tightbbox() for axes in figure.axes)]:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
    for axes in figure.axes:
        assert not legend.get_window_extent().overlaps(axes.get_tightbbox())


def test_a_panel_per_task_with_each_leader_twice_and_the_best_known_value(tmp_path, drawn):
    agents.compare(many(tmp_path, 3, ("DiscreteToy", "FourRooms"))).plot(tmp_path / "x.pdf")
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == ["DiscreteToy", "FourRooms"]
    for axes, best in zip(figure.axes, (34.993, 0.622), strict=True):
        assert axes.get_xscale() == "log"
        solid = [line for line in axes.lines if line.get_linestyle() == "-"]
        dashed = [line for line in axes.lines if line.get_linestyle() == "--" and line.get_color() != "black"]
        assert [line.get_color() for line in solid] == [line.get_color() for line in dashed] == list(COLOURS[:3])
        assert len(axes.collections) == 3
        assert [line.get_ydata()[0] for line in axes.lines if line.get_color() == "black"] == [best]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        *(f"leader{i}" for i in range(3)),
        "recommended commitment, 95 % band",
        "announced commitment",
        "best known value",
    ]
    assert "reward units" in figure.axes[0].get_ylabel()
    assert "steps" in figure.axes[1].get_xlabel()


def test_the_line_is_the_interquartile_mean_of_what_was_recommended(tmp_path, drawn):
    store = Store(tmp_path / "store", create=True)
    records = [made_record(made_job(seed=seed), share=share) for seed, share in enumerate((0.1, 0.5, 0.7, 0.9))]
    for record in records:
        record.result.curve["announced_value"] = [0.0] * len(record.result.curve["announced_value"])
        store.add(record)
    agents.compare(store.folder).plot(tmp_path / "x.png")
    (axes,) = drawn[0].axes
    curves = np.array([record.result.curve["recommended_value"] for record in records])
    solid, dashed = axes.lines[:2]
    assert solid.get_xdata().tolist() == records[0].result.curve["observed_steps"][1:]
    assert solid.get_ydata() == pytest.approx(np.sort(curves, axis=0)[1:3, 1:].mean(axis=0))
    assert (dashed.get_ydata() == 0.0).all()


def test_levels_of_information_are_told(tmp_path, drawn):
    agents.compare(made_store(tmp_path / "store", ("bchg", "hpgd"), ("DiscreteToy",)).folder).plot(tmp_path / "x.png")
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels[:2] == ["bchg (ACTIONS_ONLY)", "hpgd (RESPONSE)"]


def test_leaders_that_observe_nothing_or_know_nothing_have_their_place(tmp_path, drawn):
    store = Store(tmp_path / "store", create=True)
    store.add(made_record())
    model = made_record(made_job(leader="exact"), information="MODEL")
    model.result.curve["observed_steps"] = [0.0] * len(model.result.curve["observed_steps"])
    model.result.curve["announced_value"] = [None] * len(model.result.curve["announced_value"])
    store.add(model)
    store.add(made_failure(made_job(leader="naive")))
    found = agents.compare(store.folder)
    found.plot(tmp_path / "x.png")
    lines = drawn[0].axes[0].lines
    flat = [line for line in lines if line.get_color() == COLOURS[1]]
    assert len(flat) == 1
    assert flat[0].get_ydata() == pytest.approx([model.result.leader_value] * 2)
    # Where nobody observes anything, there is a picture all the same.
    agents.compare(store.folder, leaders=["exact"]).plot(tmp_path / "x.png")


def test_every_run_is_seen_beside_the_profiles(tmp_path, drawn):
    found = agents.compare(many(tmp_path, 2, ("DiscreteToy", "FourRooms"), seeds=4))
    found.plot(tmp_path / "x.svg", "profiles")
    left, right = drawn[0].axes
    points = np.concatenate([dots.get_offsets()[:, 0] for dots in right.collections])
    assert sorted(points) == pytest.approx(sorted(score.score for score in found.scores))
    assert len(left.collections) == 2


def test_figures_are_written_and_refused(tmp_path, monkeypatch):
    folder = many(tmp_path, 2)
    found = agents.compare(folder)
    assert found.plot(tmp_path / "new" / "figure.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ArgumentError, match=r"ending in \.png"):
        found.plot(tmp_path / "x.txt")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ArgumentError, match="expected 1 to 14 leaders with scores"):
        agents.compare(many(other, 15, seeds=1)).plot(tmp_path / "x.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plots"):
        found.plot(tmp_path / "x.png")
