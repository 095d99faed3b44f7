"""The page of a benchmark: complete, escaped, and in need of nothing but itself."""

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

import agents
from agents.benchmark.comparison import compare
from agents.benchmark.report import contents, page, sections
from agents.benchmark.report.charts import COLOURS, SYMBOLS, Line, curves_chart, style_of
from agents.benchmark.report.contents import Curve, curve_of, gather, grid_of, spread, steady_band
from agents.benchmark.report.markup import fixed
from agents.benchmark.statistics import aggregates, band
from agents.benchmark.store import Store
from agents.cli.main import main
from stackelberg_envs.errors import ArgumentError, OutputError
from tests.made_records import made_failure, made_job, made_record, made_store

get_plotlyjs = pytest.importorskip("plotly.offline").get_plotlyjs

EVIL = """</script><script>hacked()</script><img src=x onerror='hacked()'>"&$title ${x} <b>"""
#: Elements without an end.
VOID = {"meta", "link", "img", "br", "option"}


class Page(HTMLParser):
    """Elements and texts of a page, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.texts, self.attributes = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.attributes.append((tag, found))
        self.addresses += [(tag, found[name]) for name in ("src", "href", "srcset", "action") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag):
        return [found for name, found in self.attributes if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "store"
    store = made_store(folder, seeds=3)
    store.add(made_record(made_job("DiscreteToy", "naive", 9), share=1.02))
    store.add(made_record(made_job("FourRooms", "naive", 0, entrant=EVIL), share=0.3, shape=(44,)))
    failed = made_failure(made_job("FourRooms", "naive", 9))
    store.add(msgspec.structs.replace(failed, error=EVIL, traceback=f"Traceback\n{EVIL}"))
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return agents.report(folder, folder.parent / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


def test_the_page_is_one_whole_document(parsed):
    assert parsed.open == []
    assert parsed.tags.count("html") == parsed.tags.count("h1") == parsed.tags.count("main") == 1
    identifiers = [found["id"] for _, found in parsed.attributes if "id" in found]
    assert len(identifiers) == len(set(identifiers))


def test_every_link_leads_to_a_file_of_the_store_or_into_the_page(parsed, folder):
    identifiers = {found["id"] for _, found in parsed.attributes if "id" in found}
    files = 0
    for tag, address in parsed.addresses:
        if address.startswith("#"):
            assert address[1:] in identifiers
        elif tag != "a":
            assert address.startswith("data:")
        else:
            assert (folder.parent / address).is_file()
            files += 1
    assert files > 20


def test_nothing_but_the_library_names_a_network(text):
    own = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.DOTALL)
    assert "://" not in own


def test_the_browser_runs_the_scripts_of_the_page_only_and_asks_no_network(text, parsed):
    policy = next(found["content"] for found in parsed.of("meta") if "http-equiv" in found)
    assert policy.startswith("default-src 'none'; ")
    own = re.search(r"<script>(.*?)</script>", text, re.DOTALL).group(1)
    for script in (own, get_plotlyjs()):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]


def test_names_errors_and_tracebacks_are_text(text, parsed):
    assert "<script>hacked" not in text
    assert "<img src=x" not in text
    assert parsed.tags.count("script") == 2 + parsed.tags.count("figure") - len(parsed.of("img"))
    assert EVIL in parsed.texts  # whole, with what templates would have replaced
    assert any(f"Traceback\n{EVIL}" in found for found in parsed.texts)


def test_what_is_read_of_names_by_plotly_is_escaped(text):
    specs = [
        json.loads(found)
        for found in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    ]
    names = [trace["name"] for spec in specs for trace in spec["data"]]
    assert any("&lt;/script&gt;" in name for name in names)
    assert not any("<" in name for name in names)


def test_charts_are_what_plotly_takes(text):
    from plotly.graph_objects import Figure

    for found in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)[:6]:
        Figure(json.loads(found))


def test_every_task_leader_and_failure_is_there(parsed):
    joined = "\n".join(parsed.texts)
    for word in ("DiscreteToy", "FourRooms", "bchg", "hpgd", "naive", "ACTIONS_ONLY", "RESPONSE", "tabular-v1"):
        assert word in joined
    assert "1 failed" in joined
    assert "incomplete" in joined  # leaders with missing seeds are marked


def test_a_new_best_known_value_is_said_on_top(text):
    head = text[: text.index("<nav")]
    assert "New best known value on DiscreteToy: J = 35.6805 in place of 34.993, by naive, seed 9" in head


def test_tables_say_what_they_head(parsed):
    assert parsed.tags.count("caption") == parsed.tags.count("table")
    assert all(found.get("scope") in ("col", "row", "rowgroup") for found in parsed.of("th"))
    assert all(found.get("alt") for found in parsed.of("img"))
    assert {found["data-filter"] for found in parsed.of("select")} == {"suite", "information", "follower", "budget"}
    assert {found["for"] for found in parsed.of("label")} == {found["id"] for found in parsed.of("select")}


def test_the_same_records_make_the_same_page(folder, text):
    assert agents.report(folder, folder.parent / "page.html").read_text(encoding="utf-8") == text


def test_numbers_are_those_of_the_comparison(folder, parsed):
    found = {
        (entrant, group.information): group.scores(entrant, group.tasks)
        for group in compare(folder, "tabular-v1").groups
        for entrant in group.entrants
    }

    value = aggregates(found["hpgd", "RESPONSE"])["interquartile_mean"].value
    keys = [found["data-key"] for found in parsed.of("td") if "data-key" in found]
    assert repr(value) in keys


def test_a_folder_without_jobs_and_a_page_of_another_kind_are_refused(tmp_path):
    Store(tmp_path / "store", create=True)
    with pytest.raises(ArgumentError, match="expected at least one job that was run, got none"):
        agents.report(tmp_path / "store", tmp_path / "page.html")
    with pytest.raises(ArgumentError, match=r"ending in \.html, got 'page.pdf'"):
        agents.report(tmp_path / "store", tmp_path / "page.pdf")
    with pytest.raises(OutputError, match="expected the folder of a benchmark"):
        agents.report(tmp_path, tmp_path / "page.html")
    assert not list(tmp_path.glob("page*"))


def test_a_folder_in_which_everything_failed_has_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_plotly", str)
    store = Store(tmp_path / "store", create=True)
    store.add(made_failure())
    text = agents.report(store.folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "0 jobs finished, 1 failed" in text
    Page(text)


def test_what_cannot_be_drawn_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_plotly", str)
    store = Store(tmp_path / "store", create=True)
    store.add(made_record(commitment=[[0.5], [0.5, 0.5]]))
    store.add(made_record(made_job("FourRooms", game="no/such-v0"), share=0.5, commitment=[None, 1.0]))
    assert "<img" not in agents.report(store.folder, tmp_path / "page.html").read_text(encoding="utf-8")


def test_no_record_names_code_that_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_plotly", str)
    (tmp_path / "stranger.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    store = Store(tmp_path / "store", create=True)
    store.add(made_record(made_job(game="stranger:Nothing-v0")))
    assert "<img" in agents.report(store.folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "stranger" not in sys.modules


def test_what_is_shown_of_single_runs_is_bounded_and_that_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_plotly", str)
    for name in ("LINES_EACH", "LINKS_EACH"):
        monkeypatch.setattr(sections, name, 2)
    monkeypatch.setattr(sections, "MOST_TRACEBACKS", 0)
    text = agents.report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 of up to 4 runs can be shown" in text
    assert "Records: 4 of 7 runs" in text
    assert "The first 0 of 1 are shown" in text


def test_the_worst_and_the_best_are_among_the_runs_that_are_shown(folder):
    runs = [entry for entry in gather(Store(folder)).selection.entries if entry.status == "finished"]
    values = sorted(run.value for run in runs)
    for most in (2, 3, 7):
        chosen = spread(runs, most)
        assert len(chosen) == most
        assert {values[0], values[-1]} <= {run.value for run in chosen}
    assert spread(runs, 99) == runs


def test_bands_of_many_runs_are_those_of_the_bootstrap():
    """Both intervals estimate the same one; at 200 runs their ends differ by a tenth of its width at most."""
    curves = np.random.default_rng(0).standard_normal((200, 3)) ** 3
    closed, drawn = steady_band(curves), band(curves)
    assert np.array_equal(closed[0], drawn[0])
    width = drawn[2] - drawn[1]
    assert (np.abs(closed[1] - drawn[1]) < 0.1 * width).all()
    assert (np.abs(closed[2] - drawn[2]) < 0.1 * width).all()


def test_a_curve_ends_where_the_first_run_ends():
    grid = grid_of([np.array([0.0, 1.0, 10.0]), np.array([0.0, 1.0, 10.0, 100.0])])
    assert grid.tolist() == [1.0, 10.0, 100.0]
    runs = [(np.array([0.0, 1.0, 10.0]), np.array([0.0, 1.0, 2.0]))]
    runs += [(np.array([0.0, 1.0, 10.0, 100.0]), np.array([0.0, 3.0, 4.0, 5.0]))]
    curve = curve_of(runs, grid)
    assert curve.costs.tolist() == [1.0, 10.0]
    assert curve.middle.tolist() == [2.0, 3.0]
    assert curve_of([], grid).costs.size == 0
    assert curve_of([(grid, np.full(3, np.nan))], grid).costs.size == 0


def test_many_checkpoints_become_a_grid():
    grid = grid_of([np.arange(1.0, 5_000.0)])
    assert grid.size == contents.MOST_POINTS
    assert (grid[0], grid[-1]) == (1.0, 4_999.0)


def test_no_two_of_forty_two_leaders_look_alike():
    assert len({style_of(i) for i in range(42)}) == 42
    assert len({style_of(i)[1] for i in range(len(SYMBOLS))}) == len(SYMBOLS)


def luminance(colour):
    """Relative luminance of a colour, as the guidelines for accessible web pages (WCAG 2) define it."""
    shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def test_lines_stand_out_from_white_and_from_the_dark(text):
    dark = re.search(r"prefers-color-scheme: dark\).*?--back: (#\w{6})", text, re.DOTALL).group(1)
    for colour, lighter in COLOURS.items():
        assert 1.05 / (luminance(colour) + 0.05) > 3.0
        assert (luminance(lighter) + 0.05) / (luminance(dark) + 0.05) > 3.0


@pytest.mark.parametrize(
    ("by", "field", "values"),
    [("budget", "steps", (10_000, 100_000)), ("follower", "follower", ("q_learning", "soft_value_iteration"))],
)
def test_runs_of_several_budgets_or_followers_are_ranked_together_and_apart(tmp_path, by, field, values):
    store = made_store(tmp_path, leaders=("bchg",), tasks=("DiscreteToy",), seeds=2)
    store.add(made_record(made_job("FourRooms", **{field: values[0]})))
    jobs = [record.address for record in store.records()]
    store.add_sweep(msgspec.structs.replace(store.sweeps()[0], name="both-v1", jobs=jobs))
    boards = [board for board in gather(store).boards if board.name == "both-v1"]
    found = [(board.parts_by, getattr(board, f"{by}s"), sum(map(len, board.finished.values()))) for board in boards]
    assert found == [([], [], 3), ([by], [values[0]], 1), ([by], [values[1]], 2)]
    common = "followers" if by == "budget" else "budgets"
    assert all(len(getattr(board, common)) == 1 for board in boards)


def test_a_leader_that_observes_nothing_has_a_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_plotly", str)
    record = made_record()
    curve = record.result.curve | {"observed_steps": [0.0] * len(record.result.curve["observed_steps"])}
    store = Store(tmp_path / "store", create=True)
    store.add(msgspec.structs.replace(record, result=msgspec.structs.replace(record.result, curve=curve)))
    text = agents.report(store.folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "value over the leader updates" in text
    level = curve_of(
        [(np.zeros(2), np.array([1.0, 2.0])), (np.array([0.0, 5.0]), np.array([3.0, 4.0]))], np.array([5.0])
    )
    assert level.middle.tolist() == [3.0]


def test_scores_are_told_to_a_thousandth_and_rounding_is_not_drawn(folder, text, tmp_path, monkeypatch):
    assert [fixed(value) for value in (-7e-12, 0.98765, np.nan)] == ["0.000", "0.988", "–"]
    assert "The response gap is zero, but for rounding" in text
    monkeypatch.setattr(page, "_plotly", str)
    record = made_record()
    curve = record.result.curve | {"response_gap": [0.5] * len(record.result.curve["response_gap"])}
    store = Store(tmp_path / "store", create=True)
    store.add(msgspec.structs.replace(record, result=msgspec.structs.replace(record.result, curve=curve)))
    text = agents.report(store.folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "but for rounding" not in text
    assert 'id="task-0-response_gap"' in text


def test_what_was_learned_is_drawn_by_the_environment_too(text):
    assert text.count("as the environment draws itself") >= 2
    assert "data:image/png;base64," in text


def test_recommended_is_solid_announced_dashed_and_the_best_known_a_line():
    curve = Curve(np.array([1.0, 2.0]), *np.array([[0.5, 0.6], [0.4, 0.5], [0.6, 0.7]]))
    chart = curves_chart(
        {"a": Line(curve, curve, {0: (curve.costs, curve.middle)})}, {"a": style_of(0)}, {"best": 1.0}, "steps"
    )
    assert [trace["line"].get("dash") for trace in chart.data] == [None, "solid", "dash", None, "longdashdot"]
    assert chart.data[-1]["y"] == [1.0, 1.0]
    assert chart.has_seeds


def test_a_job_of_two_suites_is_told_once_by_task(tmp_path):
    store = made_store(tmp_path, leaders=("bchg",), tasks=("DiscreteToy",), seeds=2)
    first = store.sweeps()[0]
    store.add_sweep(msgspec.structs.replace(first, name="other-v1"))
    found = gather(store)
    assert [block.name for block in found.boards] == ["tabular-v1", "other-v1"]
    assert [block.suites for block in found.blocks] == [["other-v1", "tabular-v1"]]


def test_the_command_writes_the_page(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "_plotly", str)
    assert main(["report", str(folder), "--output", str(tmp_path / "page.html")]) == 0
    assert "Page: " in capsys.readouterr().out
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "other.html")]) == 2
    assert not (tmp_path / "other.html").exists()
