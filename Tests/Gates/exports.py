#!/usr/bin/env python3
"""The exports of libsasuka.so are the functions that the header declares, at version SASUKA_1.

Usage: exports.py LIBRARY HEADER
"""
import re
import subprocess
import sys

VERSION = "SASUKA_1"


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported_names(library):
    """Every defined dynamic symbol with its version, but for the version's own."""
    lines = output_of("nm", "-D", "--defined-only", library).splitlines()
    return {line.split()[-1] for line in lines} - {VERSION}


def declared_names(header):
    """Every function the header declares: a name of ours before a parenthesis, once comments and macros are gone."""
    text = output_of("clang", "-E", "-P", header)
    return {f"{name}@@{VERSION}" for name in re.findall(r"\b(sasuka_\w+)\s*\(", text)}


def main():
    library, header = sys.argv[1:]
    exported, declared = exported_names(library), declared_names(header)
    failures = [f"exported, but not declared in {header}: {name}" for name in sorted(exported - declared)]
    failures += [f"declared in {header}, but not exported: {name}" for name in sorted(declared - exported)]
    for failure in failures:
        print(f"gate: {failure}", file=sys.stderr)
    print(f"exports: {len(exported)} functions, {len(declared)} declared")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
