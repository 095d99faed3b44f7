"""The window for people, on a display that nobody sees."""

import sys

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import MissingExtraError, OutputError
from stackelberg_envs.pictures import window

TOY = "stackelberg/DiscreteToy-v1"
FACES = ["raw_env", "env", "parallel_env", "followers_env", "follower_env", "leader_env"]


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    found = pytest.importorskip("pygame", reason='needs pygame: pip install "stackelberg-envs[window]"')
    yield found
    found.display.quit()


@pytest.fixture
def waited(pygame, monkeypatch):
    """Do not wait, and say for how long one would have."""
    times = []
    monkeypatch.setattr(pygame.time, "wait", times.append)
    return times


def seen(pygame):
    """Return what the window shows."""
    return np.swapaxes(pygame.surfarray.array3d(pygame.display.get_surface()), 0, 1)


def test_the_window_shows_the_picture_of_every_step(pygame, waited):
    env = se.follower_env(TOY, render_mode="human")
    twin = se.follower_env(TOY, render_mode="rgb_array")
    for each in (env, twin):
        each.reset(seed=0)
    assert np.array_equal(seen(pygame), twin.render())
    for action in (1, 2, 0):
        env.step(action)
        twin.step(action)
        assert np.array_equal(seen(pygame), twin.render())
    assert waited == [125] * 4
    env.close()
    assert not pygame.display.get_init()


@pytest.mark.parametrize("face", FACES)
def test_every_face_shows_itself_and_closes_the_window(face, pygame, waited):
    env = getattr(se, face)(TOY, render_mode="human")
    env.reset(seed=0)
    assert env.render() is None
    assert pygame.display.get_caption()[0] == "Discrete toy"
    env.close()
    assert not pygame.display.get_init()
    env.close()


def test_pictures_of_another_size_get_a_window_of_theirs(pygame, waited):
    for size in ((40, 60), (50, 30)):
        window.show(np.full((*size, 3), 7, np.uint8), "sizes", fps=10)
        assert seen(pygame).shape == (*size, 3)


@pytest.mark.parametrize("face", FACES)
def test_without_pygame_the_face_is_refused_before_any_work(face, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtraError, match=r'pip install "stackelberg-envs\[window\]"'):
        getattr(se, face)(TOY, render_mode="human")


def test_without_a_display_it_says_so(pygame, monkeypatch):
    pygame.display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "nowhere")
    env = se.follower_env(TOY, render_mode="human")
    with pytest.raises(OutputError, match="expected a display"):
        env.reset(seed=0)
