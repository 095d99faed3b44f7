"""A search by noisy values finds the best place, and recommends only what was played."""

import numpy as np
import pytest

from agents.planning.commitment_search import CommitmentSearch, levelled
from stackelberg_envs.errors import OutputError

BEST = np.array([0.8, 0.3, 0.6])


def value(point):
    """Return a hill that ends in a cliff, and a lower hill elsewhere."""
    hill = 70.0 - 100.0 * ((point - BEST) ** 2).sum() if point[0] < 0.85 else 0.0
    return max(hill, 50.0 - 200.0 * ((point - 0.2) ** 2).sum(), 0.0)


def searched(updates=120, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    search, values, point, arm = CommitmentSearch(3, updates), [], np.full(3, 0.5), -1
    for i in range(updates):
        search.add(point, arm)
        values.append(value(point) + noise * rng.standard_normal())
        seen = np.array(values), np.full(i + 1, noise**2)
        if i >= 30 and not search.arms:
            search.begin(*seen)
        point, arm = search.next(*seen, rng) if search.arms else (rng.random(3), -1)
    return search, seen


@pytest.mark.parametrize("seed", range(3))
def test_it_ends_on_the_higher_hill_before_the_cliff(seed):
    search, seen = searched(seed=seed)
    assert value(search.points[search.best(*seen)]) > 66.0
    assert search.confirming
    assert search.arms == 1


def test_arms_begin_apart_and_are_halved():
    search, seen = CommitmentSearch(3, 100), np.random.default_rng(0)
    for _ in range(30):
        search.add(seen.random(3))
    values = np.array([value(point) for point in search.points]), np.full(30, 0.1)
    assert search.best(*values) == np.argmax(values[0])
    search.begin(*values)
    assert search.arms == 4
    distances = np.abs(search.centres[:, None] - search.centres).max(axis=2)
    assert (distances[~np.eye(4, dtype=bool)] > 0.15).all()
    for _ in range(15):
        search.add(np.full(3, 0.5))
    values = np.array([value(point) for point in search.points]), np.full(45, 0.1)
    search.next(*values, seen)
    assert search.arms == 2


def test_large_losses_count_less_and_keep_their_order():
    values, variances = levelled(np.array([70.0, 69.9, 60.0, 0.0]), np.full(4, 0.01))
    assert (np.diff(values) < 0).all()
    assert values[0] - values[1] == pytest.approx(0.1, rel=0.3)
    assert values[0] - values[3] < 20.0
    assert (np.diff(variances) < 0).all()


def test_what_is_forgotten_is_gone():
    search, _ = searched(40)
    search.forget(10)
    assert len(search.points) == len(search.owners) == 10


def test_a_search_goes_on_from_its_state():
    search, seen = searched(60)
    twin = CommitmentSearch(3, 60)
    twin.checked_state(search.state_dict(), "search").apply()
    one, other = (each.next(*seen, np.random.default_rng(1)) for each in (search, twin))
    np.testing.assert_array_equal(one[0], other[0])
    state = search.state_dict() | {"lengths": np.ones((7, 3))}
    with pytest.raises(OutputError, match="as much of every arm"):
        twin.checked_state(state, "search")
