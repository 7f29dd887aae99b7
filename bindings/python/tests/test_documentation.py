"""The documentation site is built without a warning, lacks nothing, and its links lead somewhere."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

import sasuka

ROOT = Path(__file__).resolve().parents[3]
HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "Include" / "sasuka.h").read_text(), flags=re.S)


class Page(HTMLParser):
    """What a page can be linked to by, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    folder = tmp_path_factory.mktemp("docs") / "html"
    command = [sys.executable, str(ROOT / "Documentation" / "build.py"), "--without-notebooks", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"warning|error", done.stderr, flags=re.I), done.stderr
    return {path: Page(path.read_text()) for path in folder.rglob("*.html")}


def everywhere(site: dict[Path, Page]) -> set[str]:
    return set().union(*(page.anchors for page in site.values()))


def public(module: ModuleType) -> list[str]:
    """Names of the classes and functions that a module is read for."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]


def test_every_public_name_of_the_package_is_documented(site: dict[Path, Page]) -> None:
    anchors, expected = everywhere(site), []
    for name in sasuka.__all__:
        value = getattr(sasuka, name)
        if isinstance(value, ModuleType):
            expected.append(f"module-{value.__name__}")
            expected += [f"{value.__name__}.{inner}" for inner in public(value)]
        else:
            expected.append(f"sasuka.{name}")
            methods = [inner for inner in vars(value) if not inner.startswith("_")] if inspect.isclass(value) else []
            expected += [f"sasuka.{name}.{inner}" for inner in methods if inspect.isfunction(vars(value)[inner])]
    assert len(expected) > 150
    assert [name for name in expected if name not in anchors] == []


def test_every_declaration_of_the_header_is_documented(site: dict[Path, Page]) -> None:
    functions = re.findall(r"^[\w ]+[ *](sasuka_\w+)\([^;]*\);", HEADER, flags=re.M)
    enumerators = re.findall(r"\b(SASUKA_\w+) = ", HEADER)
    types = re.findall(r"(?:\}|typedef \w+) (sasuka_\w+);", HEADER) + re.findall(r"\(\*(sasuka_\w+)\)\(", HEADER)
    fields = []
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", HEADER, flags=re.S):
        for line in body.split(";"):
            names = [re.sub(r"\[\w+\]|.*[ *]", "", part.strip()) for part in line.split(",")]
            fields += [f"{name}.{field}" for field in names if field]
    assert min(len(functions), len(enumerators), len(fields)) > 60 and len(types) > 30
    anchors = everywhere(site)
    expected = [*functions, *enumerators, *types, *fields, "SASUKA_ABI_VERSION", "SASUKA_MAX_RANK"]
    assert [name for name in expected if f"c.{name}" not in anchors] == []


def test_links_lead_somewhere(site: dict[Path, Page]) -> None:
    broken = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = site.get(target)
            if not target.exists() or (found is not None and parts.fragment and unquote(parts.fragment) not in found.anchors):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_formulas_need_no_network_and_little_room(site: dict[Path, Page]) -> None:
    folder = next(path for path in site if path.name == "search.html").parent / "_static" / "mathjax"
    program = (folder / "tex-chtml.js").read_text()
    fonts = set(re.findall(r"/(MathJax_[\w-]+)", program))
    assert len(fonts) > 20
    assert [font for font in fonts if not (folder / "output/chtml/fonts/woff-v2" / f"{font}.woff").is_file()] == []
    assert (folder / "input/tex/extensions/color.js").is_file()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3_000_000


def test_the_header_names_nothing_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "Documentation")
    import header

    wrong = tmp_path / "wrong.h"
    wrong.write_text("/* Conventions. */\n/* ---- One ---- */\n/** As sasuka_nothing. */\nvoid sasuka_one(void);\n")
    with pytest.raises(ValueError, match="sasuka_nothing, which is not declared"):
        header.write_pages(wrong, tmp_path / "pages")
    wrong.write_text("/* ---- One ---- */\nclass Nonsense {};\n")
    with pytest.raises(ValueError, match="line 2.*not understood"):
        header.write_pages(wrong, tmp_path / "pages")
