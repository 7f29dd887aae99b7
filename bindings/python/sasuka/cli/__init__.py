"""`python -m sasuka`: networks from the command line.

Exit codes: 0, done; 1, it failed, and standard error says why; 2, the command line makes no sense; 130, stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..errors import SasukaError
from . import data_commands, network_commands
from .common import Command, table

COMMANDS: list[Command] = [*network_commands.COMMANDS, *data_commands.COMMANDS]


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    lines = table([[command.name, command.summary] for command in COMMANDS]).splitlines()
    whole = argparse.ArgumentParser(
        "sasuka",
        description="Convolutional networks: run, train and convert them on a CPU.",
        epilog="commands:\n" + "\n".join(f"  {line}" for line in lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"sasuka {__version__}")
    commands = whole.add_subparsers(
        dest="command", metavar="COMMAND", required=True, help="one of those below; `sasuka COMMAND --help` says more"
    )
    for command in COMMANDS:
        one = commands.add_parser(command.name, description=f"{command.name}: {command.summary}")
        one.add_argument("--json", action="store_true", help="print the result as JSON")
        command.arguments(one)
        one.set_defaults(run=command.run, show=command.show)
    return whole


def _say(text: str) -> None:
    """Prints, if there is something to say; a reader that goes away, such as `head`, is no failure."""
    try:
        print(text, end="\n" if text else "", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json(value: Any) -> str:
    """As JSON, which has no word for what is no number: null."""

    def known(part: Any) -> Any:
        if isinstance(part, float):
            return part if math.isfinite(part) else None
        if isinstance(part, dict):
            return {name: known(inside) for name, inside in part.items()}
        return [known(inside) for inside in part] if isinstance(part, (list, tuple)) else part

    return json.dumps(known(value), ensure_ascii=False, allow_nan=False)


def _reason(error: Exception) -> str:
    """What standard error says of a failure."""
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    whole = parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        # Who calls it for the first time wants to know what there is.
        whole.print_help(sys.stderr)
        return 2
    given = whole.parse_args(arguments)
    try:
        result: Any = given.run(given)
    except KeyboardInterrupt:
        print("sasuka: stopped", file=sys.stderr)
        return 130
    except (SasukaError, OSError, ValueError, LookupError, ImportError, MemoryError) as error:
        print(f"sasuka: {_reason(error)}", file=sys.stderr)
        return 1
    _say(_json(result) if given.json else given.show(result))
    return 0
