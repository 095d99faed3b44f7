"""Bars that show where a number lies."""

import numpy as np
import pytest

from stackelberg_envs.pictures import canvas
from stackelberg_envs.pictures.gauges import Gauge, draw_gauge, entry_names
from tests.pictures import columns


def test_a_share_is_where_a_value_lies():
    gauge = Gauge("x", 3.0, 2.0, 4.0, canvas.INK)
    assert gauge.share == 0.5
    bent = [gauge._replace(value=value, low=-np.inf, high=np.inf).share for value in (-1e9, 0.0, 1.0, 1e9)]
    assert bent == pytest.approx([0.0, 0.5, 0.75, 1.0], abs=1e-6)
    assert gauge._replace(low=3.0, high=3.0).share == 0.5


@pytest.mark.parametrize(("value", "place"), [(2.0, 100), (3.0, 150), (4.0, 200), (9.0, 200)])
def test_a_bar_has_its_mark_there(value, place):
    picture = canvas.Canvas(40, 300)
    draw_gauge(picture, 10, 20, Gauge("x", value, 2.0, 4.0, canvas.STRONGEST), name=80, bar=100)
    marked = columns(picture.finish(), canvas.STRONGEST)
    assert abs(marked.mean() - place) <= 1


def test_entries_without_names_are_numbered():
    assert entry_names(None, 2, "x") == ["x 0", "x 1"]
    assert entry_names(("toll A", "toll B"), 2, "x") == ["toll A", "toll B"]
