"""Turns Include/sasuka.h, the manual of the C interface, into pages for Sphinx's C domain.

Tools that read documentation comments skip what has none of its own, such as the second of two functions under one comment or
an enumerator whose name says all, and the prose between declarations. Here nothing is left out: what is not understood is an
error, and so is a name in a comment that the header does not declare.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

#: What stands in the header at one place; the first that fits is taken.
PIECES = re.compile(
    r"""
    (?P<gap>\n[ \t]*\n)
  | (?P<space>\s+)
  | /\*[ ]----[ ](?P<section>.*?)[ ]-+[ ]\*/
  | /\*\*(?P<documentation>.*?)\*/
  | /\*(?P<prose>.*?)\*/
  | \#define[ ](?P<macro>\w+)(?P<macro_value>[ ][^\n]*)?
  | (?P<directive>\#(?:ifndef|ifdef|endif|include)[^\n]*|extern[ ]"C"[ ]\{|\}(?=\s*\#endif))
  | typedef[ ]struct[ ](?P<opaque>\w+)[ ](?P=opaque);
  | typedef[ ]struct[ ](?P<struct>\w+)[ ]\{(?P<members>.*?)\n\}[ ](?P=struct);
  | enum[ ]\{(?P<enumerators>.*?)\};
  | typedef[ ](?P<type>[^;{]*);
  | (?P<function>[^;{\#/]*\)) ;
    """,
    re.VERBOSE | re.DOTALL,
)
#: Names in comments that are none of the header's: environment variables.
OTHER_NAMES = {"SASUKA_ISA"}
NAMES = re.compile(r"\b(?:sasuka|SASUKA)_\w*[a-zA-Z0-9](?:\.\w+)?\b(?![_*])")


@dataclass
class Entry:
    """One documented thing: signatures that share a text, and what is inside."""

    kind: str
    signatures: list[str]
    text: str = ""
    inside: list[Entry] = field(default_factory=list)


@dataclass
class Section:
    title: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def file(self) -> str:
        return re.sub(r"\W+", "-", self.title.split(":")[0].split(",")[0].lower())


def _one_line(code: str) -> str:
    return " ".join(code.split())


def _comment(text: str) -> str:
    """What a comment says, without the indentation of its lines after the first."""
    first, _, rest = text.strip().partition("\n")
    return first + "\n" + textwrap.dedent(rest)


def _name(declaration: str) -> str:
    """The name that a declaration declares."""
    pointer = re.search(r"\(\*(\w+)\)", declaration)
    plain = re.search(r"(\w+)\s*(?:\[\w+\])?\s*(?:\(.*)?$", declaration)
    found = pointer or plain
    if found is None:
        raise ValueError(f"sasuka.h: {declaration!r} declares nothing")
    return found.group(1)


def _members(body: str) -> list[Entry]:
    """A struct's fields; several in one line share their comment."""
    entries, text = [], ""
    for piece in re.finditer(r"/\*\*(.*?)\*/|/\*(.*?)\*/|([^;/]+);|(\S)", body, re.DOTALL):
        documentation, prose, code, stray = piece.groups()
        if stray:
            raise ValueError(f"sasuka.h: {body[piece.start():][:60]!r} is no field")
        if documentation is not None:
            text = _comment(documentation)
        elif prose is not None:
            entries.append(Entry("prose", [], _comment(prose)))
        else:
            kind, names = re.fullmatch(r"((?:const )?\w+)\s+(.*)", _one_line(code)).groups()  # type: ignore[union-attr]
            if "(" in names:
                entries.append(Entry("member", [f"{kind} {names}"], text))
            else:
                entries.append(Entry("member", [f"{kind} {name.strip()}" for name in names.split(",")], text))
            text = ""
    return entries


def _enumerators(body: str) -> list[Entry]:
    entries, text = [], ""
    for documentation, name, value in re.findall(r"/\*\*(.*?)\*/|(\w+)\s*=\s*(-?\w+)", body, re.DOTALL):
        if documentation:
            text = _comment(documentation)
        else:
            entries.append(Entry("enumerator", [f"{name} = {value}"], text))
            text = ""
    return entries


def _add(section: Section, entry: Entry, joined: bool) -> None:
    """Appends, or joins functions that stand under one comment without a gap."""
    last = section.entries[-1] if section.entries else None
    if joined and not entry.text and last is not None and last.kind == entry.kind == "function":
        last.signatures += entry.signatures
    else:
        section.entries.append(entry)


def parse(header: str) -> list[Section]:
    """The header's sections, of which the first, without a title, holds the conventions."""
    sections = [Section("")]
    place, text, gap = 0, "", True
    while place < len(header):
        piece = PIECES.match(header, place)
        if piece is None:
            line = header.count("\n", 0, place) + 1
            raise ValueError(f"sasuka.h, line {line}: {header[place:].splitlines()[0]!r} is not understood")
        place = piece.end()
        found = piece.groupdict()
        if found["gap"] or found["space"] or found["directive"]:
            gap = gap or bool(found["gap"])
            continue
        if found["documentation"] is not None:
            if text:
                raise ValueError(f"sasuka.h: {text[:60]!r} belongs to nothing")
            text = _comment(found["documentation"])
            continue
        if found["section"]:
            sections.append(Section(found["section"]))
        elif found["prose"] is not None:
            sections[-1].entries.append(Entry("prose", [], _comment(found["prose"])))
        elif found["enumerators"] is not None:
            # The type before it is the integer that the constants are passed as.
            sections[-1].entries[-1].inside += _enumerators(found["enumerators"])
        elif found["macro"] and not found["macro_value"]:
            pass  # The guard against including twice.
        else:
            _add(sections[-1], _entry(found, text), not gap)
        text, gap = "", False
    return sections


def _entry(found: dict[str, str], text: str) -> Entry:
    if found["macro"]:
        return Entry("macro", [found["macro"]], f"{text}\n\nIts value is{found['macro_value']}.")
    if found["opaque"]:
        return Entry("struct", [found["opaque"]], text)
    if found["struct"]:
        return Entry("struct", [found["struct"]], text, _members(found["members"]))
    if found["type"]:
        return Entry("type", [_one_line(found["type"])], text)
    return Entry("function", [_one_line(found["function"])], text)


# ---- Pages


def _roles(sections: list[Section]) -> dict[str, str]:
    """Name -> the role that links to it; a struct's fields as "struct.field"."""
    roles = {}
    roles_of_kinds = {"function": "func", "macro": "macro", "type": "type", "struct": "struct"}
    for entry in (entry for section in sections for entry in section.entries if entry.kind != "prose"):
        for signature in entry.signatures:
            roles[_name(signature)] = roles_of_kinds[entry.kind]
        for inner in (inner for inner in entry.inside if inner.kind != "prose"):
            for signature in inner.signatures:
                if inner.kind == "member":
                    roles[f"{entry.signatures[0]}.{_name(signature)}"] = "member"
                else:
                    roles[signature.split(" ")[0]] = "enumerator"
    return roles


def _marked_up(text: str, roles: dict[str, str]) -> str:
    """A comment as reStructuredText: names become links, `code` literals, all else plain text."""

    def name(match: re.Match[str]) -> str:
        whole = match.group(0)
        if whole in OTHER_NAMES:
            return f"``{whole}``"
        if whole not in roles and whole.split(".")[0] not in roles:
            raise ValueError(f"sasuka.h: a comment names {whole}, which is not declared")
        # What follows a dot may be the end of a sentence, or a file's suffix.
        known = whole if whole in roles else whole.split(".")[0]
        return f":c:{roles[known]}:`{known}`" + whole[len(known) :]

    def plain(part: str) -> str:
        part = re.sub(r"([\\*|])", r"\\\1", part)
        result, end = [], 0
        for match in NAMES.finditer(part):
            result += [re.sub(r"_(?=\W|$)", r"\\_", part[end : match.start()]), name(match)]
            end = match.end()
        return "".join([*result, re.sub(r"_(?=\W|$)", r"\\_", part[end:])])

    lines = []
    for line in text.split("\n"):
        if line.startswith("    ") and lines and (not lines[-1] or lines[-1].startswith("    ")):
            lines.append(line)  # A program.
            continue
        # A backtick's other side may be in the next line, but is not in this header.
        parts = re.split(r"(`[^`]+`)", line)
        lines.append("".join(f"`{part}`" if part.startswith("`") else plain(part) for part in parts))
    marked = "\n".join(lines)
    # A colon before an indented program.
    return re.sub(r":\n\n(    \S)", r":\n\n.. code-block:: c\n\n\1", marked)


def _indented(text: str, depth: int) -> str:
    return textwrap.indent(text.strip("\n"), "   " * depth)


def _directive(entry: Entry, roles: dict[str, str], depth: int = 0) -> str:
    text = _marked_up(entry.text, roles) if entry.text else ""
    if entry.kind == "prose":
        return _indented(text, depth) + "\n"
    start = f".. c:{entry.kind}:: "
    parts = [_indented(start + ("\n" + " " * len(start)).join(entry.signatures), depth)]
    if text:
        parts.append(_indented(text, depth + 1))
    if entry.kind == "struct":
        parts += [_directive(inner, roles, depth + 1) for inner in entry.inside]
    elif entry.inside:
        # Constants are not names inside their type, so they stand behind it; the style sheet sets them in.
        parts += [_directive(inner, roles, depth) for inner in entry.inside]
    return "\n\n".join(parts) + "\n"


def write_pages(header: Path, folder: Path) -> None:
    """A page for each section of the header, and index.rst with its conventions."""
    folder.mkdir(parents=True, exist_ok=True)
    conventions, *sections = parse(header.read_text())
    roles = _roles(sections)
    for section in sections:
        body = "\n".join(_directive(entry, roles) for entry in section.entries)
        (folder / f"{section.file}.rst").write_text(f"{section.title}\n{'=' * len(section.title)}\n\n{body}")
    introduction = "\n\n".join(_marked_up(entry.text, roles) for entry in conventions.entries)
    contents = "\n".join(f"   {section.file}" for section in sections)
    (folder / "index.rst").write_text(
        f"C interface\n===========\n\n{introduction}\n\n.. toctree::\n   :maxdepth: 1\n\n{contents}\n"
    )
