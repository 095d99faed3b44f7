"""The comparison with pygambit: what it would notice, that its table tells all of its games, and it itself."""

import re
import sys

import numpy as np
import pytest

from benchmarks import bimatrix_others as module

#: A battle over where to meet, in hundredths, and its equilibria by hand: strategies, then values.
MEETING = np.array([[300, 0], [0, 200]]), np.array([[200, 0], [0, 300]])
BY_HAND = [[[1, 0, 1, 0], [3, 2]], [[0, 1, 0, 1], [2, 3]], [[0.6, 0.4, 0.4, 0.6], [1.2, 1.2]]]


def told(equilibria, paths=BY_HAND[:1]):
    return module.compared(*MEETING, {"enummixed": equilibria, "lcp": paths})


def test_the_same_equilibria_agree_and_are_counted():
    found = told(BY_HAND, BY_HAND[:2])
    assert module.agrees("two decimals", found)
    assert (found.ours, found.theirs, found.paths, found.found) == (3, 3, 2, 2)
    assert found.gain == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("equilibria", "paths"),
    [
        (BY_HAND[:2], BY_HAND[:1]),
        ([*BY_HAND, [[0.5, 0.5, 0.5, 0.5], [1.25, 1.25]]], BY_HAND[:1]),
        ([*BY_HAND[:2], [[0.6, 0.4, 0.4, 0.6], [1.2, 1.2 + 1e-7]]], BY_HAND[:1]),
        (BY_HAND, [[[0.5, 0.5, 0.5, 0.5], [1.25, 1.25]]]),
    ],
    ids=["one less", "one more", "another value", "another solution of a path"],
)
def test_what_differs_is_noticed(equilibria, paths):
    assert not module.agrees("two decimals", told(equilibria, paths))


def test_a_commitment_that_is_worth_less_than_an_equilibrium_is_noticed():
    assert not module.agrees("two decimals", told(BY_HAND)._replace(gain=-1e-6))


def test_commitment_adds_nothing_where_one_gains_what_the_other_loses():
    assert not module.agrees("zero-sum", told(BY_HAND)._replace(gain=1e-6))


def test_games_are_drawn_again_as_they_were_and_whole_numbers_have_ties():
    for kind in module.KINDS:
        (leader, follower), again = module.drawn(kind, (3, 3), 1), module.drawn(kind, (3, 3), 1)
        assert (leader == again[0]).all()
        assert (follower == again[1]).all()
        assert (leader != module.drawn(kind, (3, 3), 2)[0]).any()
        assert (kind == "zero-sum") == (leader == -follower).all()
    games = [module.drawn("whole numbers 0 to 2", (6, 6), seed) for seed in range(module.SEEDS)]
    assert all((leader == leader.max(axis=0)).sum(axis=0).max() > 1 for leader, _ in games)


def test_the_committed_table_has_every_kind_and_size_and_all_agree():
    lines = module.TABLE.read_text(encoding="utf-8").splitlines()
    assert re.search(r"pygambit 17\.\S+, .* 20\d\d-\d\d-\d\d$", lines[0])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[:2] for row in rows] == [[kind, f"{A} x {B}"] for kind in module.KINDS for A, B in module.SHAPES]
    assert sum(int(row[2]) for row in rows) == 54
    for row in rows:
        assert row[3] == row[4]
        assert float(row[5]) <= module.NEAR
        found, paths = row[6].split(" of ")
        assert found == paths
        assert 0 <= float(row[7]) <= float(row[8])


def test_a_python_without_pygambit_is_refused_in_a_sentence(monkeypatch):
    with pytest.raises(SystemExit, match=r"^--others: expected a Python that has pygambit 17, got no-such-python: .*$"):
        module.asked("no-such-python", [])
    monkeypatch.setattr(module, "OTHER", "import no_such_package")
    with pytest.raises(SystemExit, match=r"^--others: expected .*: ModuleNotFoundError: .*$"):
        module.asked(sys.executable, [])


def test_pygambit_finds_the_same():
    pygambit = pytest.importorskip("pygambit", "17.0.0b2")
    places = [(kind, shape) for kind in module.KINDS for shape in module.SHAPES[:3]]
    games = [module.drawn(kind, shape, 0) for kind, shape in places]
    version, theirs = module.asked(sys.executable, games)
    assert version == pygambit.__version__
    for (kind, _), game, solutions in zip(places, games, theirs, strict=True):
        assert module.agrees(kind, module.compared(*game, solutions))
