"""Sphinx's settings; build.py lays out the pages that it reads."""

from __future__ import annotations

import sasuka

project = "Sasuka"
version = release = sasuka.__version__
copyright = "the authors of Sasuka"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # Formulas are drawn by files of the site's own, since a reader may be without network.
    "sphinx-mathjax-offline",
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

# Notebooks come with their results and are not run again.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
