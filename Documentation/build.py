"""Builds the documentation site, HTML, without network: `make docs`.

Pages come from where their text is kept: the start and the guide from README.md, the Python reference from docstrings, the C
reference from Include/sasuka.h, the command line from its own help, examples from their sources, notebooks as they were executed.

    python Documentation/build.py [--without-notebooks] [OUTPUT]        default: build/docs/html
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "Documentation"
NOTEBOOKS = ROOT / "build" / "notebooks"
sys.path[:0] = [str(ROOT / "bindings" / "python"), str(HERE)]

import header  # noqa: E402

#: Where the README's links lead in the site.
LINKS = {"Examples": "examples.md", "Include/sasuka.h": "../c/index.rst", "LICENSE": "../LICENSE"}
LANGUAGES = {"en": "Notebooks", "lt": "Sąsiuviniai"}


def file_name(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def toctree(entries: list[str], *options: str) -> str:
    return "\n".join(["```{toctree}", *options, "", *entries, "```", ""])


def write_guide(folder: Path) -> str:
    """A page for each part of the README; returns what stands before the first."""
    folder.mkdir()
    text = (ROOT / "README.md").read_text()
    for whole, words, target in set(re.findall(r"(\[([^]]+)\]\(([^)#:]+)\))", text)):
        if not (ROOT / target).exists():
            raise ValueError(f"README.md links to {target}, which does not exist")
        # Other files of the tree are not in the site.
        text = text.replace(whole, f"[{words}]({LINKS[target]})" if target in LINKS else words)
    opening, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    for part in parts:
        title = part.partition("\n")[0]
        # Deeper headings would skip a level.
        (folder / f"{file_name(title)}.md").write_text("# " + part.replace("\n### ", "\n## "))
    return opening


def guide_pages() -> list[str]:
    titles = re.findall(r"^## (.*)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    return [f"guide/{file_name(title)}" for title in titles] + ["guide/command-line", "guide/examples"]


def write_command_line(page: Path) -> None:
    """What each command says of itself."""
    from sasuka import cli

    whole = cli.parser()
    commands = next(action.choices for action in whole._actions if isinstance(action, argparse._SubParsersAction))
    parts = ["# The command line\n", f"```text\n{whole.format_help()}```\n"]
    parts += [f"## {name}\n\n```text\n{command.format_help()}```\n" for name, command in commands.items()]
    page.write_text("\n".join(parts))


def write_examples(page: Path) -> None:
    """The sources of Examples, each under the comment that it opens with."""
    languages = {".c": "c", ".h": "c", ".cpp": "cpp", ".py": "python"}
    parts = ["# Examples\n"]
    for path in sorted(path for path in (ROOT / "Examples").rglob("*") if path.suffix in languages):
        parts.append(f"## {path.relative_to(ROOT)}\n\n````{languages[path.suffix]}\n{path.read_text()}````\n")
    page.write_text("\n".join(parts))


def write_notebooks(folder: Path) -> list[str]:
    """Copies the executed notebooks of each language; returns their contents pages."""
    pages = []
    for language, title in LANGUAGES.items():
        found = sorted((NOTEBOOKS / language).glob("*.ipynb"))
        if found:
            inside = folder / language
            inside.mkdir(parents=True)
            for notebook in found:
                shutil.copy(notebook, inside)
            names = [notebook.stem for notebook in found]
            (inside / "index.md").write_text(f"# {title}\n\n" + toctree(names, ":maxdepth: 1"))
            pages.append(f"notebooks/{language}/index")
    return pages


def write_sources(source: Path, notebooks: bool) -> None:
    """Lays out what Sphinx reads."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("__pycache__", "build.py", "header.py"))
    shutil.copy(ROOT / "LICENSE", source)
    opening = write_guide(source / "guide")
    write_command_line(source / "guide" / "command-line.md")
    write_examples(source / "guide" / "examples.md")
    header.write_pages(ROOT / "Include" / "sasuka.h", source / "c")
    parts = [opening, toctree(guide_pages(), ":caption: Guide", ":maxdepth: 1")]
    parts.append(toctree(["python/index", "c/index"], ":caption: Reference", ":maxdepth: 2"))
    found = write_notebooks(source / "notebooks") if notebooks else []
    if found:
        parts.append(toctree(found, ":caption: Notebooks", ":maxdepth: 2"))
    elif notebooks:
        print(f"docs: no notebooks in {NOTEBOOKS}; the site is built without them")
    (source / "index.md").write_text("\n".join(parts))


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the documentation site.")
    parser.add_argument("--without-notebooks", action="store_true", help="leave out the executed notebooks")
    parser.add_argument("output", nargs="?", type=Path, default=ROOT / "build" / "docs" / "html")
    given = parser.parse_args()
    source = given.output.parent / "source"
    write_sources(source, not given.without_notebooks)
    from sphinx.cmd.build import main as sphinx

    # Warnings are errors: a link that leads nowhere, a docstring that is not understood.
    trees = str(given.output.parent / "doctrees")
    return sphinx(["-q", "-W", "--keep-going", "-E", "-b", "html", "-d", trees, str(source), str(given.output)])


if __name__ == "__main__":
    sys.exit(main())
