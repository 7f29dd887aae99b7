"""What the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

from ..bundle import DESCRIPTION, Bundle
from ..errors import InvalidArgumentError, MismatchError
from ..model import Model


class Command(NamedTuple):
    """One word of the command line: what it takes, what it does, how it shows what it found."""

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    #: From the arguments to a result that JSON can hold.
    run: Callable[[argparse.Namespace], Any]
    #: From that result to text.
    show: Callable[[Any], str]


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL, and what an architecture's name needs to become one."""
    parser.add_argument("model", metavar="MODEL", help="a folder that `train` wrote, or an architecture's name")
    parser.add_argument("--weights", metavar="FILE", help="of an architecture: .pth, .safetensors or .npz")
    parser.add_argument("--classes", metavar="FILE", help="of an architecture: the classes' names, one a line")
    add_threads(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="default: one for each processor")


def load_weights(model: Model, path: str, key: str | None = None) -> None:
    """The weights of a file; where they do not fit, says what the command line can do about it."""
    try:
        model.load_weights(path, key=key)
    except MismatchError as error:
        shapes = "; --num-classes and --in-channels say what the file has" if error.keys and error.keys.mismatched_keys else ""
        raise MismatchError(f"{path}: {str(error).partition('; skip_mismatched')[0]}{shapes}", error.keys) from error


def read_names(path: str | None) -> Sequence[str]:
    """The lines of a file."""
    return [] if path is None else Path(path).read_text(encoding="utf-8").splitlines()


def open_bundle(given: argparse.Namespace) -> Bundle:
    """MODEL as a network that knows its classes and its preprocessing."""
    if Path(given.model, DESCRIPTION).is_file():
        if given.weights is not None or given.classes is not None:
            raise InvalidArgumentError(f"{given.model} has weights and classes; --weights and --classes are for architectures")
        return Bundle.load(given.model, threads=given.threads)
    if given.weights is None:
        raise InvalidArgumentError(f"{given.model} is no folder with {DESCRIPTION}; as an architecture it needs --weights FILE")
    names = read_names(given.classes)
    return Bundle.published(given.model, given.weights, names, num_classes=len(names), threads=given.threads)


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as what is in them; those numbered in `right` end at their right edge."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
