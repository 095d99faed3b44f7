"""The figures of the documentation are what their commands draw, and each has a command.

Pictures are compared at a quarter of their size, where versions of fonts and of smoothing hardly differ.
"""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

DOCS = Path(__file__).parents[1] / "docs"
#: Mean difference of pictures, of 255, which another drawing of the same stays below.
TOLERANCE = 2.0
#: Pictures of a film that the quick test draws anew.
FIRST = 3
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def draw():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield runpy.run_path(str(DOCS / "draw.py"))


def difference(one, other):
    """Return the mean difference of two pictures, of 255; infinite where their sizes are others."""
    one, other = (Image.fromarray(np.asarray(each)[..., :3]).convert("RGB") for each in (one, other))
    if abs(one.width - other.width) > 4 or abs(one.height - other.height) > 4:
        return np.inf
    small = one.width // 4, one.height // 4
    return np.abs(np.subtract(*(np.asarray(each.resize(small), dtype=float) for each in (one, other)))).mean()


def drawn(data):
    """Return the pictures of a file."""
    with Image.open(io.BytesIO(data)) as file:
        return [np.asarray(picture.convert("RGB")) for picture in ImageSequence.Iterator(file)]


def names(draw, suffix):
    return [path for path in draw["figures"]() if path.suffix == suffix]


def test_a_picture_of_something_else_is_found_to_be_one(draw):
    paths = names(draw, ".gif")
    one, other = (drawn(path.read_bytes())[0] for path in paths[:2])
    assert difference(one, one) == 0.0
    assert difference(one, other) > TOLERANCE
    moved = drawn(paths[0].read_bytes())
    assert max(difference(moved[1], each) for each in moved) > TOLERANCE / 10


def test_films_begin_as_they_are_drawn_now(draw):
    for name, spec_id in draw["environments"]().items():
        shown = drawn((DOCS / "figures" / "environments" / f"{name}.gif").read_bytes())
        for seen, now in zip(shown, draw["pictures"](spec_id, FIRST - 2), strict=False):
            assert difference(seen, now) < TOLERANCE, f"{name}: run `make figures` and look at it"


@pytest.mark.parametrize("name", ["discrete_toy", "bchg"])
def test_results_are_drawn_as_they_are_recorded(draw, name):
    for path, make in draw["figures"]().items():
        if path.name == f"{name}.png":
            assert difference(*(drawn(data)[0] for data in (path.read_bytes(), make()))) < TOLERANCE


@pytest.mark.deep
def test_every_figure_is_as_it_is_drawn_now(draw):
    for path in draw["figures"]():
        seen, now = drawn(path.read_bytes()), drawn(draw["figures"]()[path]())
        assert len(seen) == len(now)
        assert max(map(difference, seen, now)) < TOLERANCE, path.stem


def test_every_figure_has_a_command_and_a_size_that_readers_can_load(draw):
    told = (DOCS / "explanation" / "testing.md").read_text(encoding="utf-8")
    for path in sorted((DOCS / "figures").rglob("*.*")):
        assert path in draw["figures"]() or f"`{path.name}`" in told, path.name
        assert path.stat().st_size <= MOST_BYTES, path.name
    gone = [path for path in draw["figures"]() if not path.exists()]
    assert not gone, "run: make figures"
