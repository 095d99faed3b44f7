"""Sphinx settings, and the hook that writes one page per environment from the docstring of its module."""

import importlib
import inspect
import re
from pathlib import Path

import stackelberg_envs
from stackelberg_envs.faces.registration import env_modules, id_of

project = "stackelberg-envs"
author = "The stackelberg-envs authors"
copyright = f"2026, {author}"
release = version = stackelberg_envs.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "tables", "figures", "Thumbs.db", ".DS_Store"]
html_theme = "furo"
html_title = f"stackelberg-envs {release}"
html_show_sphinx = False

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Numbered equations: `$$ ... $$ (label)` and {eq}`label`.
math_number_all = False
math_eqref_format = "({number})"
numfig = False

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what an argument is, with its shape and unit
napoleon_google_docstring = False
# Attributes as a list like parameters: as entries of their own, dataclass fields would be described twice.
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False

#: |x| in a docstring is an absolute value, not a substitution.
BAR = re.compile(r"(``.*?``|`.*?`)|\|")

#: A row of the table at the top of a docstring: two cells.
ROW = re.compile(r"^\|(?P<name>[^|\n]+[^|\s-][^|\n]*)\|(?P<text>[^\n]+)\|$", re.MULTILINE)

ENVIRONMENTS = Path(__file__).parent / "reference" / "environments"
#: Written into each generated page, and what tells a generated page from a written one.
MARK = "% Written by docs/conf.py from the docstring of the module; edit it there."
ROLE = re.compile(r":(func|class|meth|mod|data):`([^`]+)`")
HEADING = re.compile(r"^(?P<heading>[A-Z][^\n|]*)\n(?P<text>(?: {4}[^\n]*\n?|\n(?= {4}))+)", re.MULTILINE)


def environment_page(module):
    """Return the Markdown page of an environment file, from its docstring."""
    name = f"stackelberg_envs.envs.{module}"
    doc = inspect.getdoc(importlib.import_module(name)) or ""
    title, _, body = doc.partition("\n")
    title, _, summary = title.partition(":")
    body = HEADING.sub(_section, ROLE.sub(r"{py:\1}`\2`", body.strip() + "\n"))
    body = ROW.sub(_row, body)
    return (
        f"{MARK}\n\n# {title}\n\n{summary.strip().capitalize() if summary else title}\n\n"
        f"Id `{id_of(module)}`, module `stackelberg_envs.{module}`.\n\n{body}\n"
        f"## Make the game\n\n```{{eval-rst}}\n.. autofunction:: {name}.make_game\n```\n"
    )


def _row(match):
    """Keep the bars of f(a | s) inside their cell."""
    return f"| {match['name'].strip()} | {match['text'].strip().replace('|', chr(92) + '|')} |"


def _section(match):
    return f"## {match['heading']}\n\n{inspect.cleandoc(match['text'])}\n\n"


def write_environment_pages(app=None):
    """Write the pages; those of environments that are gone are removed."""
    pages = {ENVIRONMENTS / f"{module}.md": environment_page(module) for module in env_modules()}
    for path in ENVIRONMENTS.glob("*.md"):
        if path not in pages and path.read_text(encoding="utf-8").startswith(MARK):
            path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def escape_bars(app, what, name, obj, options, lines):
    """Escape bars outside of literals, in place as Sphinx wants it."""
    lines[:] = [BAR.sub(lambda match: match[1] or r"\|", line) for line in lines]


def setup(app):
    """Write the environment pages before Sphinx looks for sources."""
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
    app.connect("config-inited", lambda app, config: write_environment_pages())
