"""Sphinx's settings; build.py lays out the pages that it reads."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sasuka

project = "Sasuka"
version = release = sasuka.__version__
copyright = "the authors of Sasuka"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "myst_nb",
]
root_doc = "index"
html_theme = "furo"
html_title = f"Sasuka {version}"
html_static_path = ["static"]
html_css_files = ["sasuka.css"]
html_show_sphinx = False
html_copy_source = html_show_sourcelink = False
pygments_style = "friendly"

# "conv1" in prose is a string of a program.
smartquotes = False

# In docstrings `name` is code; where it names something of the package, it is a link too.
default_role = "py:obj"
add_module_names = False
python_maximum_signature_line_length = c_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
# A method that overrides another and has nothing to add is described where it comes from.
autodoc_inherit_docstrings = False
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_rtype = False

# Formulas are drawn by files of the site's own, since a reader may be without network. Of MathJax's 24 MB, these: the program,
# the fonts that it writes with, and what it fetches for commands that not every page has.
mathjax_path = "mathjax/tex-chtml.js"
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")

# Notebooks come with their results and are not run again.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3


def copy_mathjax(app: Any, failure: Exception | None) -> None:
    found = find_spec("sphinx-mathjax-offline")
    if failure is not None or app.builder.format != "html":
        return
    if found is None or found.origin is None:
        raise RuntimeError("sphinx-mathjax-offline, which holds MathJax, is not installed")
    whole, target = Path(found.origin).parent / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    shutil.rmtree(target, ignore_errors=True)
    for name in MATHJAX:
        target.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (whole / name).is_dir() else shutil.copy
        copy(whole / name, target / name)


def setup(app: Any) -> None:
    app.connect("build-finished", copy_mathjax)
