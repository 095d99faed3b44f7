"""The leaderboard: its entries are what they say, and its page is made of them."""

import pytest

import agents
from agents.benchmark.leaderboard import HEAD, build, entries, page
from agents.benchmark.submission import read_submission, submit
from agents.benchmark.submission_check import check_submission
from tests.house import ROOT
from tests.made_records import made_store

FOLDER = ROOT / "docs" / "leaderboard"
#: Commitments of each entry that are played in the quick tests.
FEW = 4
PAGE = (FOLDER / "index.md").read_text(encoding="utf-8")


def test_the_page_names_every_entry():
    assert PAGE.startswith(HEAD)
    for path in entries(FOLDER):
        manifest = read_submission(path).manifest
        assert path.name.replace("_", "\\_") in PAGE
        assert PAGE.count("\n## ") >= len(set(manifest.sweeps))
    assert entries(FOLDER) or "no entries yet" in PAGE


@pytest.mark.parametrize("path", entries(FOLDER), ids=lambda path: path.stem)
def test_an_entry_is_sound_and_some_of_its_commitments_are_worth_what_it_says(path):
    assert check_submission(path, sample=FEW).disagreements == []


@pytest.mark.deep
@pytest.mark.parametrize("path", entries(FOLDER), ids=lambda path: path.stem)
def test_all_commitments_of_an_entry_are_worth_what_it_says(path):
    assert check_submission(path).disagreements == []


@pytest.mark.deep
def test_the_page_is_what_the_entries_make_it():
    assert page(FOLDER) == PAGE


def test_a_page_is_made_of_several_entries(tmp_path):
    (tmp_path / "entries").mkdir()
    assert page(tmp_path) == f"{HEAD}\nThere are no entries yet.\n"
    for name, leaders in (("one", ("bchg", "naive")), ("two", ("hpgd",))):
        store = made_store(tmp_path / name, leaders=leaders, seeds=3)
        submit(store.folder, tmp_path / "entries" / f"{name}.zip", name=f"Team <{name}>", contact="me|x")
    text = page(tmp_path)
    assert "| Team \\<one\\> | one.zip | tabular-v1 | 12 | CC-BY-4.0 | me\\|x |  |" in text
    assert text.count("\n## tabular-v1\n") == 1
    assert all(f"\n| {leader} |" in text for leader in ("bchg", "naive", "hpgd"))


def test_a_page_is_written_only_if_every_entry_agrees(tmp_path):
    said = []
    agents.sweep(
        "stackelberg/DiscreteToy-v1", "random_search", 1, steps=1_000, output=tmp_path / "real", engine="sequential",
        progress=False, name="mine",
    )  # fmt: skip
    submit(tmp_path / "real", tmp_path / "entries" / "real.zip", name="Team", contact="me")
    assert build(tmp_path, said.append)
    assert said == ["real.zip: 1 records, 0 disagreements", f"written: {tmp_path / 'index.md'}"]
    before = (tmp_path / "index.md").read_text()
    assert "\n## mine\n" in before
    submit(made_store(tmp_path / "made", seeds=1).folder, tmp_path / "entries" / "made.zip", name="Team", contact="me")
    assert not build(tmp_path, said.append)
    assert (tmp_path / "index.md").read_text() == before
    assert any("expected J = " in line for line in said)
