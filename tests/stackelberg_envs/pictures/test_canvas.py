"""Pictures and text: what a person must be able to find in them."""

import numpy as np
import pytest

from stackelberg_envs.pictures import canvas as rendering


def drawn(*calls, height=40, width=200):
    """Return where a canvas is not paper after some calls of its methods."""
    canvas = rendering.Canvas(height, width)
    for name, *arguments in calls:
        getattr(canvas, name)(*arguments)
    picture = canvas.finish()
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    return (picture != np.array(rendering.PAPER, np.uint8)).any(axis=2)


def extent(marks):
    """Return first row, last row, first column and last column of what was drawn."""
    rows, columns = marks.any(axis=1).nonzero()[0], marks.any(axis=0).nonzero()[0]
    return rows[0], rows[-1], columns[0], columns[-1]


INK = rendering.INK


@pytest.mark.parametrize("size", [rendering.SMALL, rendering.TEXT, rendering.LARGE])
def test_words_begin_where_they_are_put_with_capitals_of_the_size(size):
    top, bottom, left, _ = extent(drawn(("text", 8, 20, "HEX", INK, size)))
    assert abs(top - 8) <= 1
    assert abs(bottom + 1 - (8 + rendering.CAPITALS * size)) <= 1.5
    assert 20 <= left <= 23


def test_words_stand_to_the_side_of_their_anchor():
    reach = {name: extent(drawn(("text", 8, 100, "HOH", INK, 17, name)))[2:] for name in ("left", "middle", "right")}
    width = reach["left"][1] - reach["left"][0]
    assert abs(reach["right"][1] - 100) <= 3
    assert abs(sum(reach["middle"]) / 2 - 100) <= 1
    assert all(abs(last - first - width) <= 1 for first, last in reach.values())


def test_every_character_that_pictures_use_has_a_mark_of_its_own():
    used = "play phase, step 1 of 200: (time limit) +-./|x|[]<>=;'%_"
    marks = {letter: drawn(("text", 8, 20, letter, INK, 24)) for letter in set(used) - {" "}}
    assert all(mark.any() for mark in marks.values())
    assert len({mark.tobytes() for mark in marks.values()}) == len(marks)


def test_shapes_have_the_extent_they_are_given():
    assert extent(drawn(("rectangle", 5, 10, 20, 50, INK))) == (5, 24, 10, 59)
    frame = drawn(("frame", 5, 10, 20, 50, INK, 2))
    assert extent(frame) == (5, 24, 10, 59)
    assert not frame[7:23, 12:58].any()
    assert extent(drawn(("disc", (20, 50), 10, INK))) == (10, 29, 40, 59)
    assert extent(drawn(("ellipse", (20, 50), 10, 60, INK))) == (15, 24, 20, 79)
    line = extent(drawn(("line", (20, 20), (20, 120), 6, INK)))
    assert np.abs(np.subtract(line, (17, 22, 17, 122))).max() <= 1
    star = drawn(("star", (20, 50), 15, INK))
    assert extent(star)[0] == 5
    assert star[20, 50]
    assert not star[8, 40]


def test_what_has_no_area_or_lies_outside_is_left_out():
    assert not drawn(("rectangle", 5, 10, 0, 50, INK), ("rectangle", 5, 10, 20, 0.1, INK)).any()
    assert not drawn(("rectangle", -50, -50, 20, 20, INK), ("line", (-90, -90), (-50, -80), 3, INK)).any()
    assert not drawn(("arrow", (20, 20), (20, 21), 4, INK)).any()


def test_an_arc_bows_to_the_left_by_a_share_of_its_length():
    points = np.array(rendering.arc((20, 20), (20, 120), 0.2))
    assert points[0].tolist() == [20, 20]
    assert points[-1].tolist() == [20, 120]
    assert points[6] == pytest.approx([0, 70])
    assert rendering.arc((0, 0), (10, 10), 0.0)[6] == (5, 5)
    assert np.abs(np.subtract(extent(drawn(("curve", (20, 20), (20, 120), 0.1, 2, INK)))[:2], (9, 20))).max() <= 1


def test_a_ring_begins_at_the_top_and_goes_clockwise():
    marks = drawn(("ring", (20, 50), 10, [0.25, 0.75], [INK, rendering.PAPER]))
    assert marks[13:19, 51:55].all()
    assert not marks[21:30, 40:60].any()
    assert not marks[10:19, 40:48].any()
