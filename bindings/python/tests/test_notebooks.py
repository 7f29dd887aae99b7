"""Notebooks: both languages are made from one source and have the same code, and each runs in a clean kernel."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import sys
import tokenize
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def _builder() -> ModuleType:
    specification = importlib.util.spec_from_file_location("notebook_builder", FOLDER / "build.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


build = _builder()
SOURCES = build.sources()

GOOD = '''# About the loss.

# %% [labels]
# Loss = Nuostolis
# of all pictures = visų vaizdų
# Of one. = Vieno.
# not translated in "it" = neverčiama
# %% [markdown] en
# # Loss
#
# A text.
# %% [markdown] lt
# # Nuostolis
#
# Tekstas.
# %%
def f():
    """Of one."""
# Loss stays within a comment, and in "Loss of one".
x = {"Loss": 'Loss', b"Loss": f"Loss"}  # not translated in "it"
print(f"{x['Loss']!r} of all pictures", "Loss of one", f"{{Loss}}", "Nuo" "Loss")
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "01_loss.py"
    path.write_text(text)
    return path


def test_both_languages_come_from_one_source(tmp_path: Path) -> None:
    source = build.read(written(tmp_path, GOOD))
    assert source.about == "About the loss."
    english, lithuanian = (build.notebook(source, language) for language in ("en", "lt"))
    assert [cell.cell_type for cell in english.cells] == [cell.cell_type for cell in lithuanian.cells] == ["markdown", "code"]
    assert english.cells[0].source == "# Loss\n\nA text." and lithuanian.cells[0].source == "# Nuostolis\n\nTekstas."
    assert english.cells[1].source == GOOD.partition("# %%\n")[2].strip()
    assert lithuanian.cells[1].source == (
        'def f():\n    """Vieno."""\n'
        '# Loss stays within a comment, and in "Loss of one".\n'
        'x = {"Nuostolis": "Nuostolis", b"Loss": f"Nuostolis"}  # neverčiama\n'
        'print(f"{x[\'Loss\']!r} visų vaizdų", "Loss of one", f"{{Loss}}", "Nuo" "Nuostolis")'
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# About the loss.\n", "import numpy\n", "one line of comment"),
        ("# %% [markdown] lt\n# # Nuostolis\n#\n# Tekstas.\n", "", r"01_loss.py:8: .* no Lithuanian counterpart"),
        ("# %% [markdown] en\n# # Loss\n#\n# A text.\n", "", r"01_loss.py:8: .* no English counterpart"),
        ("# %% [markdown] en\n", "# %% [markdown] de\n", r"01_loss.py:8: cell '\[markdown\] de'; one of '', '\[labels\]'"),
        ("# A text.\n", "A text.\n", "01_loss.py:11: 'A text.'; a comment is expected"),
        ("# Loss = Nuostolis\n", "# Loss\n", "01_loss.py:4: 'Loss'; 'English = Lithuanian' is expected"),
        ("# Loss = Nuostolis\n", "# Loss = a\n# Loss = b\n", "01_loss.py:5: 'Loss = b'; .* each English text once"),
        ("# Loss = Nuostolis\n", "# Gain = Pelnas\n# Loss = Nuostolis\n", "the label 'Gain' equals no text in the code"),
        ("print(", "print((", "01_loss.py:21: .* a code cell is plain Python"),
        ("# # Nuostolis\n#\n# Tekstas.\n", "", "01_loss.py:12: the cell is empty"),
    ],
)
def test_what_is_missing_or_wrong_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(build.SourceError, match=message):
        build.read(written(tmp_path, GOOD.replace(old, new)))


def test_what_a_cell_shows_and_how_it_fails_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "# A sum.\n# %%\nimport os\n(os.listdir(), 1 + 2)\n# %%\n")
    with pytest.raises(build.SourceError, match="01_loss.py:5: the cell is empty"):
        build.read(path)
    made = build.notebook(build.read(written(tmp_path, "# A sum.\n# %%\nimport os\n(os.listdir(), 1 + 2)\n")), "en")
    empty = tmp_path / "empty"
    empty.mkdir()
    build.execute(made, empty)
    assert made.cells[0].outputs[0].data["text/plain"] == "([], 3)"
    # A kernel has nothing to warn of.
    assert capfd.readouterr().err == ""
    with pytest.raises(Exception, match="ZeroDivisionError"):
        build.execute(build.notebook(build.read(written(tmp_path, "# Fails.\n# %%\n1 / 0\n")), "en"), empty)


class _Untranslated(ast.NodeTransformer):
    """Puts the English text back for each translation."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.english = {translation: label for label, translation in labels.items()}

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        text = node.value
        if isinstance(text, str):
            kept = text.strip()
            return ast.Constant(text.replace(kept, self.english.get(kept, kept)) if kept else text)
        return node


def comments(code: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return [token.string[2:] for token in tokens if token.type == tokenize.COMMENT]


def docstrings(code: str) -> list[str]:
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    return [text for text in map(ast.get_docstring, functions) if text]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_code_is_the_same_in_both_languages(path: Path) -> None:
    source = build.read(path)
    assert len(set(source.labels.values())) == len(source.labels), "two labels share a translation"
    cells: list[list[Any]] = [
        [cell.source for cell in build.notebook(source, language).cells if cell.cell_type == "code"]
        for language in ("en", "lt")
    ]
    assert len(cells[0]) == len(cells[1]) > 3
    for english, lithuanian in zip(*cells):
        restored = _Untranslated(source.labels).visit(ast.parse(lithuanian))
        assert ast.dump(restored) == ast.dump(ast.parse(english))
        # Comments too: each is a label, or has no words.
        assert comments(lithuanian) == [source.labels.get(comment, comment) for comment in comments(english)]
        for text in comments(english) + docstrings(english):
            assert text in source.labels or not re.search("[A-Za-z]{2}", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_it_runs_in_a_clean_kernel(path: Path, tmp_path: Path) -> None:
    made = build.notebook(build.read(path), "en")
    build.execute(made, tmp_path)
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    warnings = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not warnings
