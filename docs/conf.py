"""Sphinx settings. The pages that are made from docstrings are written by generate.py and committed."""

import re

import stackelberg_envs

project = "stackelberg-envs"
author = "The stackelberg-envs authors"
copyright = f"2026, {author}"
release = version = stackelberg_envs.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # else the pages ask a network for it
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "tables", "figures", "recipes", "leaderboard/entries", "Thumbs.db", ".DS_Store"]
html_theme = "furo"
html_title = f"stackelberg-envs {release}"
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_logo = html_favicon = "figures/logo.png"

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


def escape_bars(app, what, name, obj, options, lines):
    """Escape bars outside of literals, in place as Sphinx wants it."""
    lines[:] = [BAR.sub(lambda match: match[1] or r"\|", line) for line in lines]


def setup(app):
    """Connect the hook."""
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
