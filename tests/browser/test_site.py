"""The documentation in a browser: every page opens without a complaint and without a network, and no link is dead.

`make docs-check` builds the pages and runs these. Pictures of some pages, for people to look at, go to the folder that
STACKELBERG_SCREENSHOTS_OF_PAGES names.
"""

import functools
import http.server
import os
import re
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make docs-check")

pytestmark = pytest.mark.deep

SITE = Path(__file__).parents[2] / "docs" / "_build"
if not (SITE / "index.html").exists():
    pytest.skip("needs the built pages: make docs-check", allow_module_level=True)

PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
#: Pages of each kind, of which pictures are made.
LOOKED_AT = (
    "index.html",
    "tutorials/first-steps.html",
    "reference/environments/four_rooms_v0.html",
    "reference/leaders/bchg.html",
    "reference/followers/soft_q_learning.html",
    "explanation/mathematics.html",
)


class Links(HTMLParser):
    """What a page refers to, and the places in it that others can refer to."""

    def __init__(self, text):
        super().__init__()
        self.found, self.places = set(), {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.places |= {told[name] for name in ("id", "name") if told.get(name)}
        self.found |= {told[name] for name in ("href", "src") if told.get(name)}


@functools.cache
def links(page):
    return Links((SITE / page).read_text(encoding="utf-8"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):  # noqa: A002 - the name that the class has
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    own = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as started:
        try:
            found = started.chromium.launch(executable_path=own)
        except playwright.Error as exc:
            pytest.skip(f"no browser: {exc}")
        yield found
        found.close()


def is_left(request):
    """Whether a request was given up because the tab went on to another page."""
    return request.failure == "net::ERR_ABORTED"


@pytest.fixture(scope="module", params=list(SIZES))
def size(request):
    return request.param


@pytest.fixture(scope="module")
def tab(browser, address, size):
    """A tab that writes down what goes wrong, and what is asked for elsewhere."""
    context = browser.new_context(viewport=SIZES[size])
    page = context.new_page()
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("requestfailed", lambda request: page.faults.append(request.url) if not is_left(request) else None)
    page.on("response", lambda answer: page.faults.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda asked: page.faults.append(asked.url) if not asked.url.startswith(address) else None)
    yield page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_without_a_complaint_and_fits_the_screen(name, tab, address):
    tab.faults.clear()
    tab.goto(address + name, wait_until="load")
    if tab.locator(".math").count():
        tab.wait_for_selector("mjx-container", state="attached")
        assert tab.locator("mjx-merror, [data-mml-node=merror]").count() == 0
    assert tab.faults == []
    assert tab.title()
    wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} pixels wider than the screen"
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("name", PAGES)
def test_no_link_is_dead(name):
    """Every file is there and every place in it; but pages of source lead to the page of a name, not to its place.

    Sphinx remembers one public module per file of source, and some files have names in two.
    """
    for link in sorted(links(name).found):
        if urlparse(link).scheme or link.startswith("//"):
            continue
        place = urlparse(urljoin(f"/{name}", link))
        path = unquote(place.path).lstrip("/") or "index.html"
        path = f"{path}index.html" if path.endswith("/") else path
        assert (SITE / path).is_file(), link
        if place.fragment and path.endswith(".html") and not name.startswith("_modules/"):
            assert unquote(place.fragment) in links(path).places, link


def test_nothing_is_loaded_from_elsewhere():
    """Pages may lead to other sites, but take no script, style, font or picture from them."""
    for path in [*SITE.rglob("*.html"), *SITE.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"""(?:\ssrc=|<link[^>]*\shref=|url\(|@import )["']?((?:https?:)?//[^"')\s>]+)""", text)
        assert not found, path.relative_to(SITE)


def test_the_search_finds_an_environment(tab, address):
    tab.goto(f"{address}search.html?q=FourRooms")
    tab.wait_for_selector("#search-results li a")
    assert any("Four-Rooms" in text for text in tab.locator("#search-results li").all_inner_texts())


def test_pictures_for_people(tab, address, size):
    folder = os.environ.get("STACKELBERG_SCREENSHOTS_OF_PAGES")
    if folder is None:
        pytest.skip("nobody asked for pictures")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in LOOKED_AT:
        tab.goto(address + name)
        tab.wait_for_timeout(500)
        tab.screenshot(path=Path(folder) / f"{size}-{Path(name).stem}.png", full_page=size == "desktop")
