"""Films: what a viewer gets back out of the file."""

import io

import numpy as np
import pytest
from PIL import Image

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.pictures.film import LAST, encoded, require_suffix

#: Three pictures, each of two colours.
PICTURES = [np.full((20, 30, 3), 40, np.uint8) for _ in range(3)]
for i, picture in enumerate(PICTURES):
    picture[5:10, 5 * i : 5 * i + 5] = (200, 30, 90)


@pytest.mark.parametrize("suffix", [".gif", ".apng"])
def test_a_film_has_all_pictures_at_their_pace_and_begins_again(suffix):
    film = Image.open(io.BytesIO(encoded(PICTURES, suffix, fps=10)))
    assert film.n_frames == 3
    assert film.info["loop"] == 0
    for i, picture in enumerate(PICTURES):
        film.seek(i)
        assert film.info["duration"] == (100 if i < 2 else LAST * 100)
        assert np.abs(np.asarray(film.convert("RGB"), dtype=int) - picture).max() <= 4


def test_a_still_is_the_last_picture():
    still = Image.open(io.BytesIO(encoded(PICTURES, ".png", fps=10)))
    assert np.array_equal(np.asarray(still), PICTURES[-1])


def test_a_colour_of_one_picture_only_is_kept():
    many = [*PICTURES * 4, np.full((20, 30, 3), (10, 240, 10), np.uint8)]
    film = Image.open(io.BytesIO(encoded(many, ".gif", fps=10)))
    film.seek(12)
    assert np.abs(np.asarray(film.convert("RGB"), dtype=int) - many[-1]).max() <= 4


def test_what_cannot_be_written_is_refused():
    assert require_suffix(".GIF") == ".gif"
    for suffix in (".jpg", "", ".mp4"):
        with pytest.raises(ArgumentError, match=r"expected a file name ending in \.gif, \.apng, \.png, got"):
            encoded(PICTURES, suffix, fps=10)
    with pytest.raises(ArgumentError, match="expected at least one"):
        encoded([], ".gif", fps=10)
