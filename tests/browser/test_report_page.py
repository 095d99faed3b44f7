"""The page of a benchmark in a browser: what a reader does with it, by mouse, keyboard and phone, light and dark.

`make test-browser` runs these. Screenshots that are to change are written anew with STACKELBERG_SCREENSHOTS=write.
"""

import math
import os
import shutil
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

import agents
from agents.benchmark.report import page as report_page
from agents.benchmark.store import Store
from tests.made_records import made_failure, made_job, made_record, made_store

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test-browser")
pytest.importorskip("plotly", reason="needs plotly")

pytestmark = pytest.mark.deep

SCREENSHOTS = Path(__file__).parent / "screenshots"
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "report.png"
#: Mean difference of screenshots, of 255, at a quarter of their size, where fonts hardly differ.
TOLERANCE = 4.0
DESKTOP = {"viewport": {"width": 1200, "height": 900}}
PHONE = {"viewport": {"width": 375, "height": 740}, "is_mobile": True, "has_touch": True}
KINDS = {"desktop": DESKTOP, "phone": PHONE, "dark": DESKTOP | {"color_scheme": "dark"}}
EVIL = "</script><script>hacked = 1</script><img src=x onerror='hacked = 1'>"


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    store = made_store(folder / "store", seeds=4)
    store.add(made_record(made_job("DiscreteToy", "naive", 9), share=1.02))
    store.add(made_record(made_job("FourRooms", "naive", 0, entrant=EVIL), share=0.3, shape=(44,)))
    store.add(msgspec.structs.replace(made_failure(made_job("FourRooms", "bchg", 9)), error=EVIL, traceback=EVIL))
    store.add(announcing(made_job("DiscreteToy", "hpgd", 20, steps=10_000)))
    return agents.report(folder / "store", folder / "page.html").as_uri()


def announcing(job):
    """A run that announces something else than what it would recommend."""
    record = made_record(job, share=0.6)
    curve = record.result.curve
    announced = [value - 2.0 for value in curve["announced_value"]]
    result = msgspec.structs.replace(record.result, curve=curve | {"announced_value": announced})
    return msgspec.structs.replace(record, result=result)


@pytest.fixture(scope="session")
def browser():
    own = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as started:
        try:
            found = started.chromium.launch(executable_path=own)
        except playwright.Error as exc:
            pytest.skip(f"no browser: {exc}")
        yield found
        found.close()


@pytest.fixture
def opened(browser, address):
    """Open the page; whoever asks for it may complain of nothing, ask no network and run nobody's code."""
    contexts, complaints, requests = [], [], []

    def open_page(kind="desktop", address=address, **options):
        contexts.append(browser.new_context(**KINDS[kind], **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url) if request.url != address else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("typeof hacked") == "undefined"
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("blob:", "data:"))] == []


@pytest.fixture
def plain(tmp_path, opened):
    """Open a page whose records are such as one would show."""
    store = made_store(tmp_path / "store", leaders=("bchg", "naive", "certainty_equivalent", "hpgd"), seeds=10)
    return opened(address=agents.report(store.folder, tmp_path / "page.html").as_uri())


def drawn(page, chart="#task-0-curves"):
    """Scroll to a chart, wait until it is drawn, and return it."""
    found = page.locator(chart)
    found.scroll_into_view_if_needed()
    page.wait_for_selector(f"{chart}[data-drawn]")
    return found


def column(page, index):
    """Return the cells of a column of the leaderboard, by group."""
    bodies = page.locator("#leaderboard table.sortable tbody").all()
    return [[row.locator("th, td").nth(index).inner_text() for row in body.locator(".row").all()] for body in bodies]


def numbers(cells):
    return [[float(cell.split()[0].replace("–", "nan").replace(",", "")) for cell in group] for group in cells]


def test_columns_are_sorted_within_their_groups(opened):
    page = opened()
    button = page.locator("#leaderboard thead button").nth(2)
    head = page.locator("#leaderboard thead th").nth(2)
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    first = numbers(column(page, 2))
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert "Sorted by median" in page.locator("#status").inner_text()
    second = numbers(column(page, 2))
    assert max(map(len, first)) > 1
    for down, up in zip(first, second, strict=True):
        known = [value for value in down if not math.isnan(value)]
        assert known == sorted(known, reverse=True)
        assert [value for value in up if not math.isnan(value)] == known[::-1]


def test_filters_hide_what_they_do_not_ask_for(opened):
    page = opened()
    page.select_option("#filter-information", "RESPONSE")
    groups = page.locator("#leaderboard tbody:visible .group").all_inner_texts()
    assert groups
    assert all("RESPONSE" in text for text in groups)
    page.select_option("#filter-budget", "10,000")
    assert page.locator("section.task:visible").count() == 1
    assert "1 of " in page.locator("#status").inner_text()
    page.select_option("#filter-information", "")
    page.select_option("#filter-budget", "")
    assert page.locator("section.task:visible").count() == 2


def test_a_budget_is_asked_for_and_its_runs_are_ranked_on_their_own(opened, tmp_path):
    store = made_store(tmp_path / "store", ("bchg",), ("DiscreteToy",), seeds=2)
    store.add(made_record(made_job("FourRooms", steps=10_000), shape=(104,)))
    jobs = [record.address for record in store.records()]
    store.add_sweep(msgspec.structs.replace(store.sweeps()[0], name="both-v1", jobs=jobs))
    page = opened(address=agents.report(store.folder, tmp_path / "page.html").as_uri())
    runs = "#leaderboard table.sortable tbody:visible td:nth-child(6)"
    page.select_option("#filter-suite", "both-v1")
    assert page.locator(runs).all_inner_texts() == ["3"]
    page.select_option("#filter-budget", "10,000")
    assert page.locator(runs).all_inner_texts() == ["1"]
    assert "budget 10,000 steps" in page.locator("#leaderboard tbody:visible .group").inner_text()
    page.select_option("#filter-budget", "100,000")
    assert page.locator(runs).all_inner_texts() == ["2"]
    page.select_option("#filter-budget", "")
    assert page.locator(runs).all_inner_texts() == ["3"]


def test_hovering_shows_a_value(opened):
    page = opened()
    chart = drawn(page)
    point = chart.locator(".scatterlayer .point").first
    point.hover(force=True)
    page.wait_for_selector("#task-0-curves .hoverlayer .hovertext")
    assert "bchg" in page.locator("#task-0-curves .hoverlayer").text_content()


def test_every_run_is_shown_on_demand(opened):
    page = opened()
    chart = drawn(page)
    before = chart.locator(".scatterlayer .trace").count()
    button = page.locator("button.seeds").first
    button.click()
    page.wait_for_function("document.querySelector('button.seeds').getAttribute('aria-pressed') === 'true'")
    assert chart.locator(".scatterlayer .trace").count() > before
    button.click()
    page.wait_for_function("document.querySelector('button.seeds').getAttribute('aria-pressed') === 'false'")
    assert chart.locator(".scatterlayer .trace").count() == before


def test_the_keyboard_reaches_everything(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#filter-suite").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#filter-suite").input_value() != ""
    page.keyboard.press("ArrowUp")
    page.locator("#leaderboard thead button").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator("#leaderboard thead th").nth(2).get_attribute("aria-sort") == "descending"
    summary = page.locator("#leaderboard summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#leaderboard details").first.get_attribute("open") is not None
    page.wait_for_selector("#leaderboard details table")
    assert page.locator(".scroll:not([tabindex='0'])").count() == 0


def test_charts_are_drawn_when_they_come_into_view(opened):
    page = opened()
    assert page.locator("#task-0-curves[data-drawn]").count() == 0
    chart = drawn(page)
    assert chart.locator("svg").count() > 0
    assert {"solid", "dash"} <= {trace["line"].get("dash") for trace in chart.evaluate("chart => chart.data")}


@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_is_wider_than_the_screen(opened, kind):
    page = opened(kind)
    for chart in page.locator(".chart").all():
        drawn(page, "#" + chart.get_attribute("id"))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_dark_page_has_light_text_in_charts_too_and_follows_the_system(opened):
    page = opened("dark")
    drawn(page)
    colour = "chart => getComputedStyle(chart.querySelector('.xtick text')).fill"
    light = page.locator("#task-0-curves").evaluate(colour)
    assert min(map(int, light[4:-1].split(","))) > 180
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"light => ({colour})(document.getElementById('task-0-curves')) !== light", arg=light)


def test_print_opens_the_tables(opened):
    page = opened("dark")
    drawn(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("details template").count() == 0
    assert not page.locator("#filters").is_visible()
    assert page.pdf()[:4] == b"%PDF"


def test_without_scripts_the_tables_are_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("#leaderboard table.sortable tbody .row").count() >= 5


def compared(page, part, path):
    """Compare a part of the page with how it looked when somebody last looked at it."""
    page.wait_for_timeout(200)
    shot = path.with_name(f".{path.name}")
    part.screenshot(path=shot, animations="disabled")
    seen = Image.open(shot).convert("RGB")
    shot.unlink()
    if os.environ.get("STACKELBERG_SCREENSHOTS") == "write":
        seen.save(path, optimize=True)
    told = Image.open(path).convert("RGB")
    assert abs(seen.width - told.width) <= 4
    assert abs(seen.height - told.height) <= 0.1 * told.height
    small = told.width // 4, told.height // 4
    pixels = [np.asarray(picture.resize(small), dtype=float) for picture in (seen, told)]
    assert np.abs(pixels[0] - pixels[1]).mean() < TOLERANCE


@pytest.mark.parametrize("kind", list(KINDS))
def test_it_looks_as_it_did(opened, kind):
    page = opened(kind)
    drawn(page)
    page.evaluate("scrollTo(0, 0)")
    compared(page, page.locator("#leaderboard .scroll").first, SCREENSHOTS / f"leaderboard-{kind}.png")
    compared(page, page.locator("#task-0-curves"), SCREENSHOTS / f"curves-{kind}.png")


def test_the_picture_of_the_documentation_is_that_of_a_page(plain):
    drawn(plain, "#averages-0")
    plain.evaluate("scrollTo(0, 0)")
    compared(plain, plain, FIGURE)


class ManyRecords(Store):
    """A store whose records are made when they are asked for."""

    def __init__(self, folder, tasks=20, leaders=10, seeds=500):
        super().__init__(folder, create=True)
        rng = np.random.default_rng(0)
        grid = [
            (f"task {t}", f"leader {i}", seed) for t in range(tasks) for i in range(leaders) for seed in range(seeds)
        ]
        jobs = [made_job(*words, game="stackelberg/DiscreteToy-v1") for words in grid]
        shares = rng.normal(0.8, 0.1, len(jobs))
        self._jobs = {job.address: (job, share) for job, share in zip(jobs, shares.tolist(), strict=True)}

    def records(self):
        return (made_record(*found) for found in self._jobs.values())

    def load(self, address):
        return made_record(*self._jobs[address])


def test_a_report_of_a_hundred_thousand_records_opens_in_three_seconds(browser, tmp_path, monkeypatch):
    store = ManyRecords(tmp_path / "store")
    monkeypatch.setattr(report_page, "Store", lambda folder: store)
    path = agents.report(store.folder, tmp_path / "page.html")
    assert path.stat().st_size < 10e6
    page = browser.new_page()
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("#status:not(:empty)")
    assert time.perf_counter() - started < 3.0
    assert "100,000 jobs finished" in page.locator("header").inner_text()
    drawn(page, "#averages-0")
    page.close()
