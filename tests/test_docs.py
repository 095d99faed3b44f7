"""The documentation is true: its code runs, its links lead somewhere, its lists are complete."""

import doctest
import functools
import importlib
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.cli.main import command_parser
from agents.followers import FOLLOWERS
from agents.leaders import LEADERS
from stackelberg_envs.faces import ids, registration
from tests.house import ROOMS

ROOT = Path(__file__).parents[1]
DOCS, README = ROOT / "docs", ROOT / "README.md"
#: Folders of docs/reference whose pages begin with what docs/generate.py writes.
GENERATED = ("environments", "leaders", "followers")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"^```\{include\} (\S+)", re.MULTILINE)


def pages():
    """Return the pages: those of the root and docs, without what builds and benchmarks write."""
    found = [path for path in DOCS.rglob("*.md") if not {"_build", "tables"} & set(path.relative_to(DOCS).parts)]
    return [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(found)]


def name_of(path):
    return str(path.relative_to(ROOT))


PAGES = pages()


# --- code ------------------------------------------------------------------------------------------------


@pytest.fixture
def own_registries():
    """Undo what a page registers."""
    # Whatever is loaded on first use is loaded first, so that it stays.
    known = [agents.leader_names(), agents.follower_names(), [se.spec(name) for name in se.registered_ids()]]
    assert all(known)
    registries = [LEADERS.classes, FOLLOWERS.classes, registration._SPECS, *client_registries()]
    before = [set(registry) for registry in registries]
    yield
    for registry, names in zip(registries, before, strict=True):
        for name in set(registry) - names:
            del registry[name]


def client_registries():
    import gymnasium

    found = [gymnasium.registry]
    try:
        from pettingzoo.env_registry import registration as pettingzoo_registration
    except ImportError:
        return found
    return [*found, pettingzoo_registration.aec_registry, pettingzoo_registration.parallel_registry]


@pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space:UserWarning")
@pytest.mark.parametrize("path", [page for page in PAGES if BLOCK.search(page.read_text("utf-8"))], ids=name_of)
def test_every_python_block_runs(path, tmp_path, monkeypatch, own_registries, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    text = path.read_text(encoding="utf-8")
    # Dataclasses look their module up by name.
    monkeypatch.setitem(sys.modules, "page", type(sys)("page"))
    for number, block in enumerate(BLOCK.finditer(text)):
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block[1], str(path), "exec")
        exec(code, namespace)  # noqa: S102 - running the documentation is the point
        if path == README and number == 0:
            require_printed(text, capsys.readouterr().out)


def require_printed(readme, out):
    """Raise unless the README says what its first program prints."""
    printed = re.findall(r"\d+\.\d{4}", out)
    assert len(printed) == 4
    said = readme.partition("The program prints")[2].partition("\n\n")[0]
    for number in printed:
        # Another platform may round otherwise; two decimals are the claim.
        assert any(abs(float(number) - float(word)) < 0.02 for word in re.findall(r"\d+\.\d{4}", said)), number


def commands():
    """Return (page, words after stackelberg) of every command line on a page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^\$ stackelberg (.+)$", text, re.MULTILINE):
            yield pytest.param(line, id=f"{name_of(page)}: {line[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_line_is_one_that_the_command_reads(line):
    words = shlex.split(line, comments=True)
    if not {"|", ">", "&&"} & set(words):
        command_parser().parse_args(words)


@functools.cache
def modules():
    names = []
    for package in (se, agents):
        names.append(package.__name__)
        names += [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return tuple(filter(is_installed, names))


def is_installed(name):
    """Return whether what a module is for is there: modules of `clients` are for optional libraries."""
    try:
        importlib.import_module(name)
    except se.errors.MissingExtraError:
        assert name.startswith("stackelberg_envs.clients."), name
        return False
    return True


@pytest.mark.parametrize("name", modules())
def test_every_doctest_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_there_are_doctests():
    finder = doctest.DocTestFinder()
    tests = [test for name in modules() for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(tests) >= 4


# --- recipes ---------------------------------------------------------------------------------------------

RECIPES = DOCS / "recipes"


@pytest.fixture
def recipe(monkeypatch, own_registries):
    """Return a function that imports a recipe as if it had been copied to where Python looks."""
    monkeypatch.syspath_prepend(str(RECIPES))

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        module = importlib.import_module(name)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return load


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=name_of)
def test_a_recipe_has_forty_lines_at_most_and_is_named_in_contributing(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
    assert f"docs/recipes/{path.name}" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_recipe_of_an_environment_passes_the_checks(recipe):
    module = recipe("my_game_v0")
    se.check_game(module.make_game(bonus=0.2))
    se.check_env("stackelberg/MyGame-v0")
    assert set(HEADINGS) <= set(module.__doc__.splitlines())
    record = agents.run(module.make_game(), leader="exact", updates=5, steps_per_update=100)
    assert record.leader_value > record.start_value


def test_the_recipe_of_a_game_is_what_its_tutorial_writes(recipe):
    text = (DOCS / "tutorials" / "environment.md").read_text(encoding="utf-8")
    assert BLOCK.search(text)[1] == (RECIPES / "two_roads.py").read_text(encoding="utf-8")
    recipe("two_roads")
    game = se.make_game("mine/TwoRoads-v0", slow=0.8)
    se.check_game(game)
    assert se.best_commitment(game).value > se.best_commitment(se.make_game("mine/TwoRoads-v0")).value


@pytest.mark.parametrize(
    ("name", "says", "lines"),
    [("environment", "has 37 lines", 37), ("leader", "of 42 lines", 42), ("environment-you-have", "in eight lines", 8)],
)
def test_a_tutorial_says_how_many_lines_its_file_has(name, says, lines):
    text = (DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
    assert says in text
    assert len(BLOCK.search(text)[1].splitlines()) == lines


def test_the_recipe_of_a_comparison_is_on_its_page_and_runs(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recipe("my_leader")
    code = (RECIPES / "my_benchmark.py").read_text(encoding="utf-8")
    own = [line.partition("  # noqa")[0] for line in code.splitlines()[1:]]
    assert len([line for line in own if line.strip()]) <= 10
    assert "\n".join(own).strip() in (DOCS / "how-to" / "run-many.md").read_text(encoding="utf-8")
    quick = 'seeds=2, steps=1_000, engine="sequential", progress=False'
    assert code.count("seeds=5") == 1
    exec(compile(code.replace("seeds=5", quick), "my_benchmark.py", "exec"), {"__name__": "__main__"})  # noqa: S102
    out = capsys.readouterr().out
    assert all(name in out for name in ("my_leader", "bchg", "naive", "cma_es", "certainty_equivalent"))
    assert (tmp_path / "mine.pdf").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "options"), [("my_leader", {"leader": "my_leader"}), ("my_follower", {"follower": "my_follower"})]
)
def test_the_recipe_of_an_agent_runs_and_resumes_to_the_same_bits(recipe, tmp_path, name, options):
    recipe(name)

    def stop(progress):
        if progress.update == 5:
            raise KeyboardInterrupt

    options |= {"updates": 10, "steps_per_update": 300}
    agents.run("stackelberg/DiscreteToy-v1", **options, output=tmp_path / "run", progress=stop)
    resumed = agents.run(resume=tmp_path / "run")
    whole = agents.run("stackelberg/DiscreteToy-v1", **options)
    assert np.array_equal(resumed.commitment, whole.commitment)
    assert resumed.curve["observed_return"][-1] == whole.curve["observed_return"][-1]
    assert len(whole.curve["observed_return"]) == 10


# --- links -----------------------------------------------------------------------------------------------


def links(path):
    text = path.read_text(encoding="utf-8")
    yield from INCLUDE.findall(text)
    yield from LINK.findall(FENCE.sub("", text))


def local_links():
    found = [(path, link) for path in PAGES for link in links(path) if not re.match(r"[a-z]+:", link)]
    return [pytest.param(path, link, id=f"{name_of(path)}: {link}") for path, link in found]


@pytest.mark.parametrize(("path", "link"), local_links())
def test_every_relative_link_leads_somewhere(path, link):
    target, _, anchor = link.partition("#")
    there = (path.parent / target).resolve() if target else path
    assert there.is_relative_to(ROOT), f"{link} leads out of the repository"
    assert there.exists(), f"{name_of(path)} refers to {link}, which does not exist"
    if anchor:
        assert anchor in anchors(there), f"{link}: known are {sorted(anchors(there))}"


def anchors(path):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_a_table_of_contents():
    listed = {DOCS / "index.md", *(page for folder in GENERATED for page in (DOCS / "reference" / folder).glob("*.md"))}
    for name in re.findall(r"^[a-z][\w/-]*$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE):
        listed.add(DOCS / f"{name}.md")
    missing = [name_of(path) for path in PAGES if path.is_relative_to(DOCS) and path not in listed]
    assert not missing


# --- lists -----------------------------------------------------------------------------------------------


def test_the_pages_made_from_docstrings_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    stale, gone = runpy.run_path(str(DOCS / "generate.py"))["outdated"]()
    assert not [name_of(path) for path in [*stale, *gone]], "run: python docs/generate.py"


@pytest.mark.parametrize("spec_id", [i for i in se.registered_ids() if i.startswith("stackelberg/")])
def test_every_environment_is_documented(spec_id):
    pages = (DOCS / "reference" / "environments").glob("*_v*.md")
    assert sum(f"Id `{spec_id}`" in page.read_text(encoding="utf-8") for page in pages) == 1
    for page in (DOCS / "reference" / "environments" / "index.md", ROOT / "README.md"):
        assert f"`{spec_id}`" in page.read_text(encoding="utf-8"), name_of(page)


HEADINGS = ("What x changes", "Dynamics", "End", "What is known", "Arguments", "Sources", "Version history")


@pytest.mark.parametrize("module", ids.env_modules())
def test_an_environment_page_has_its_sections(module):
    page = (DOCS / "reference" / "environments" / f"{module}.md").read_text(encoding="utf-8")
    for heading in HEADINGS:
        assert f"\n## {heading}\n" in page, heading
    assert not re.search(r"^ {4}\S", FENCE.sub("", page), re.MULTILINE), "indented text would be shown as code"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        *(("leaders", name) for name in agents.leader_names()),
        *(("followers", name) for name in agents.follower_names()),
    ],
)
def test_every_agent_is_documented_with_its_options(folder, name):
    page = (DOCS / "reference" / folder / f"{name}.md").read_text(encoding="utf-8")
    registry = LEADERS if folder == "leaders" else FOLLOWERS
    for kind in registry.named(name):
        for option in fields(kind.Config):
            assert f"\n| `{option.name}` |" in page, option.name
    assert f"| [`{name}`]({name}.md) |" in (DOCS / "reference" / folder / "index.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_api_page_has_every_public_name():
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    modules_of_envs = set(ids.env_modules())
    for package in (se, agents):
        for name in set(package.__all__) - modules_of_envs - {"errors"}:
            assert re.search(rf"^\.\. auto(class|function):: {name}$", text, re.MULTILINE), name


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_the_design_page_has_the_rooms_in_their_order(package):
    text = (DOCS / "explanation" / "design.md").read_text(encoding="utf-8")
    tree = text.partition(f"\n{package}/\n")[2].partition("\n\n")[0].partition("```")[0]
    told = re.findall(r"^  (\(?\w+\)?/?) ", tree, re.MULTILINE)
    assert [name.strip("()/") for name in told] == list(ROOMS[package])


def test_every_make_target_exists():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    existing = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) - {"help"}
    named = set(re.findall(r"^\| `make ([a-z-]+)` \|", readme, re.MULTILINE))
    assert named == existing
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        told = {name for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", text) if not name.startswith("client-")}
        assert told <= {*existing, "help"}, name_of(path)
        for client in re.findall(r"make client-([a-z0-9-]+)", text):
            assert (ROOT / "clients" / client / "train.py").is_file(), name_of(path)


def test_every_script_named_exists():
    for path in PAGES:
        for script in re.findall(r"(?:benchmarks|tests|agents|stackelberg_envs)/[\w/]+\.\w+", path.read_text("utf-8")):
            assert (ROOT / script).exists(), f"{name_of(path)} names {script}"


def test_the_table_of_moved_modules_leads_to_modules():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Moved modules")[2]
    moved = re.findall(r"^\| `[\w.]+` \| (.+) \|$", text.partition("\n### ")[0], re.MULTILINE)
    assert len(moved) > 100
    for name in re.findall(r"`((?:stackelberg_envs|agents)(?:\.\w+)+)`", "".join(moved)):
        assert (ROOT / name.replace(".", "/")).is_dir() or (ROOT / f"{name.replace('.', '/')}.py").exists(), name


def test_nothing_private_to_the_machine_is_told():
    # A short path, as of a container's root, is part of innocent words.
    secrets = [place for place in (str(ROOT), str(Path.home())) if len(Path(place).parts) > 2]
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in text], name_of(path)


def test_version_and_citation_agree():
    version = se.__version__
    assert f'\nversion: "{version}"' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version {version}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.deep
def test_the_pages_build_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
