"""`python -m sasuka`: networks from the command line.

Exit codes: 0, done; 1, it failed, and standard error says why; 2, the command line makes no sense; 130, stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..errors import SasukaError
from . import data_commands, network_commands
from .common import Command

COMMANDS: list[Command] = [*network_commands.COMMANDS, *data_commands.COMMANDS]


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    whole = argparse.ArgumentParser(
        "sasuka",
        description="Convolutional networks: run, train and convert them on a CPU.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30),
    )
    whole.add_argument("--version", action="version", version=f"sasuka {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.summary, description=command.description or command.summary)
        one.add_argument("--json", action="store_true", help="print the result as JSON")
        command.arguments(one)
        one.set_defaults(run=command.run, show=command.show)
    return whole


def _say(text: str) -> None:
    """Prints; a reader that goes away, such as `head`, is no failure."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    except (SasukaError, OSError, ValueError, LookupError, ImportError) as reason:
        print(f"sasuka: {reason}", file=sys.stderr)
        return 1
    _say(json.dumps(result, ensure_ascii=False) if given.json else given.show(result))
    return 0
