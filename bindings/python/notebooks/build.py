"""Makes the notebooks of this folder, in English and in Lithuanian, from one source each.

A source is Python in cells, as editors know it ("percent format"):

    # One line saying what the notebook is about.
    # %% [labels]
    # Loss = Nuostolis
    # %% [markdown] en
    # # A title
    # %% [markdown] lt
    # # Pavadinimas
    # %%
    print("Loss")

Each text stands in English and then in Lithuanian; code is written once. In the Lithuanian notebook strings, docstrings and
comments that equal a label, and parts of f-strings between their fields, become its translation; nothing else differs.

    python build.py [--output build/notebooks] [--languages en lt] [--execute] [NAME ...]
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import sys
import tempfile
import time
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "lt")
#: Seconds that one cell may take.
CELL_TIMEOUT = 300


class SourceError(ValueError):
    """A source that is not as it must be; says where and what is expected."""


class Cell(NamedTuple):
    """A part of a source."""

    #: "code", "labels", or the language of a text.
    kind: str
    text: str
    #: Of its first line in the source, from 1.
    line: int


class Source(NamedTuple):
    """One notebook in all languages."""

    about: str
    #: English -> Lithuanian.
    labels: dict[str, str]
    #: Code cells, and texts in pairs: English, Lithuanian.
    cells: list[Cell]


# ---- Reading


def sources() -> list[Path]:
    """The notebooks' sources in the order in which they are read: 01_name.py and so on."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def read(path: Path) -> Source:
    """A source's cells and labels; SourceError where something is missing."""
    head, *parts = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not re.fullmatch(r"# [^\n]+\n\s*", head):
        raise SourceError(f"{path.name}: begins with {head[:40]!r}; one line of comment and then '# %%' are expected")
    cells, line = [], 1 + head.count("\n")
    for part in parts:
        title, _, body = part.partition("\n")
        cells.append(_cell(path, title.strip(), body, line))
        line += part.count("\n")
    found = [cell for cell in cells if cell.kind == "labels"]
    if len(found) > 1:
        raise SourceError(f"{path.name}:{found[1].line}: a second [labels]; one is expected")
    source = Source(head[2:].strip(), _labels(path, found[0]) if found else {}, [c for c in cells if c.kind != "labels"])
    _check_pairs(path, source.cells)
    _check_labels(path, source)
    return source


def _cell(path: Path, title: str, body: str, line: int) -> Cell:
    kinds = {"": "code", "[labels]": "labels", **{f"[markdown] {language}": language for language in LANGUAGES}}
    if title not in kinds:
        raise SourceError(f"{path.name}:{line}: cell {title!r}; one of {', '.join(map(repr, kinds))} is expected")
    lines = body.strip("\n").split("\n")
    if kinds[title] != "code":
        for place, text in enumerate(lines):
            if text not in ("", "#") and not text.startswith("# "):
                raise SourceError(f"{path.name}:{line + 1 + place}: {text!r}; a comment is expected in a cell of text")
        lines = [text[2:] for text in lines]
    text = "\n".join(lines).strip("\n")
    if not text.strip():
        raise SourceError(f"{path.name}:{line}: the cell is empty")
    return Cell(kinds[title], text, line)


def _labels(path: Path, cell: Cell) -> dict[str, str]:
    labels: dict[str, str] = {}
    for place, text in enumerate(cell.text.split("\n")):
        parts = [part.strip() for part in text.split(" = ")]
        if len(parts) != 2 or not all(parts) or parts[0] in labels:
            raise SourceError(
                f"{path.name}:{cell.line + 1 + place}: {text!r}; 'English = Lithuanian' is expected, each English text once"
            )
        labels[parts[0]] = parts[1]
    return labels


def _check_pairs(path: Path, cells: Sequence[Cell]) -> None:
    wanted = None
    for cell in cells:
        if wanted is not None and cell.kind != "lt":
            raise SourceError(f"{path.name}:{wanted}: a text has no Lithuanian counterpart behind it")
        if wanted is None and cell.kind == "lt":
            raise SourceError(f"{path.name}:{cell.line}: a Lithuanian text has no English counterpart before it")
        wanted = cell.line if cell.kind == "en" else None
    if wanted is not None:
        raise SourceError(f"{path.name}:{wanted}: a text has no Lithuanian counterpart behind it")


def _check_labels(path: Path, source: Source) -> None:
    """Code can be read, and each label is used."""
    used: set[str] = set()
    for cell in source.cells:
        if cell.kind == "code":
            try:
                ast.parse(cell.text)
            except SyntaxError as reason:
                place = cell.line + (reason.lineno or 1)
                raise SourceError(f"{path.name}:{place}: {reason.msg}; a code cell is plain Python") from reason
            used.update(label for _, _, label, _ in _uses(cell.text, source.labels))
    for label in source.labels:
        if label not in used:
            raise SourceError(f"{path.name}: the label {label!r} equals no text in the code")


# ---- Translating


def translated(code: str, labels: dict[str, str]) -> str:
    """Code with the translations of the strings and comments that equal a label."""
    for start, end, _, replacement in reversed(list(_uses(code, labels))):
        code = code[:start] + replacement + code[end:]
    return code


def _uses(code: str, labels: dict[str, str]) -> Iterator[tuple[int, int, str, str]]:
    """Where labels stand in code: begin, end, the label, and what replaces code[begin:end]."""
    for start, end in _literals_and_comments(code):
        literal = code[start:end]
        if literal.startswith("#"):
            if literal[2:] in labels:
                yield start + 2, end, literal[2:], labels[literal[2:]]
            continue
        prefix, quote, body = _parts(literal)
        if "f" not in prefix:
            value = ast.literal_eval(literal)
            if isinstance(value, str) and value in labels:
                text = json.dumps(labels[value], ensure_ascii=False)
                yield start, end, value, f'""{text}""' if quote == '"""' else text
            continue
        # Simple f-strings only: nothing escaped or raw, and no braces within braces.
        if "r" in prefix or "\\" in body or re.search(r"\{\{|\}\}|\{[^{}]*\{", body):
            continue
        begin = start + len(prefix) + len(quote)
        for part in re.finditer(r"[^{}]+(?=\{|$)", body):
            # Blanks around a part only keep it apart from the numbers beside it.
            label = part.group().strip()
            if label in labels:
                kept = part.start() + part.group().index(label)
                text = labels[label].replace("\\", "\\\\").replace(quote[0], "\\" + quote[0])
                yield begin + kept, begin + kept + len(label), label, text.replace("{", "{{").replace("}", "}}")


def _parts(literal: str) -> tuple[str, str, str]:
    """A literal's prefix in small letters, its quotes, and what is between them."""
    found = re.match(r"""(\w*)(\"{3}|'{3}|"|')""", literal)
    assert found is not None
    prefix, quote = found.groups()
    return prefix.lower(), quote, literal[found.end() : len(literal) - len(quote)]


def _literals_and_comments(code: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each comment and of each string, an f-string as one, as Python before 3.12 reads it."""
    offsets = [0]
    for line in code.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    open_at: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        start = offsets[token.start[0] - 1] + token.start[1]
        end = offsets[token.end[0] - 1] + token.end[1]
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            open_at.append(start)
        elif name == "FSTRING_END":
            begin = open_at.pop()
            if not open_at:
                yield begin, end
        elif name in ("STRING", "COMMENT") and not open_at:
            yield start, end


# ---- Making


def notebook(source: Source, language: str) -> Any:
    """The notebook in one language, not executed."""
    cells: list[Any] = []
    for cell in source.cells:
        if cell.kind == "code":
            code = cell.text if language == "en" else translated(cell.text, source.labels)
            cells.append(nbformat.v4.new_code_cell(code, id=f"cell-{len(cells)}"))
        elif cell.kind == language:
            cells.append(nbformat.v4.new_markdown_cell(cell.text, id=f"cell-{len(cells)}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def execute(made: Any, folder: Path) -> None:
    """Runs a notebook in a kernel of its own that starts in `folder`; what the cells show is put into it."""
    # What is relative there is meant from here.
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    with tempfile.TemporaryDirectory() as sockets:
        # Over TCP, where others could listen, kernels warn. Both sides must find the sockets, wherever they start.
        private = Config({"KernelManager": {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}})
        client = NotebookClient(made, timeout=CELL_TIMEOUT, resources={"metadata": {"path": str(folder)}}, config=private)
        # A kernel that closes its sockets while its threads still wait at them may abort, and says so in the terminal.
        # Ours have nothing to tidy up.
        client.shutdown_kernel = "immediate"
        client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})


def build(path: Path, language: str, output: Path, run: bool) -> Path:
    """Writes one notebook into the language's folder of `output`."""
    made = notebook(read(path), language)
    if run:
        with tempfile.TemporaryDirectory() as folder:
            execute(made, Path(folder))
    target = output / language / f"{path.stem}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, target)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Makes the notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 01_convolution_arithmetic; by default all")
    parser.add_argument("--output", type=Path, default=Path("build/notebooks"), help="default build/notebooks")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES, help="default both")
    parser.add_argument("--execute", action="store_true", help="run them, so that they hold what their cells show")
    given = parser.parse_args(arguments)
    known = {path.stem: path for path in sources()}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"no notebook {unknown[0]!r}; there are {', '.join(known)}")
    for name in given.names or known:
        for language in given.languages:
            begun = time.perf_counter()
            try:
                target = build(known[name], language, given.output, given.execute)
            except SourceError as reason:
                print(f"build: {reason}", file=sys.stderr)
                return 1
            print(f"{target}: {time.perf_counter() - begun:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
