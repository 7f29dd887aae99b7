"""Builds and runs Tests/Embedding/python_host.c against the interpreter that runs this script."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build" / "libsasuka.so"
PROGRAM = ROOT / "build" / "hosts" / "python_host"


def main() -> None:
    include = Path(sysconfig.get_paths()["include"])
    folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDVERSION")
    libraries = [f"{folder}/libpython{name}.so", f"{folder}/{sysconfig.get_config_var('MULTIARCH')}/libpython{name}.so"]
    found = [library for library in libraries if Path(library).exists()]
    if not (include / "Python.h").exists() or not found:
        print(f"python_host.c: skipped, {include}/Python.h or libpython{name}.so is missing (Debian: python3-dev)")
        return
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["clang", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/Include", f"-isystem{include}"]
        + [str(ROOT / "Tests/Embedding/python_host.c"), "-o", str(PROGRAM), found[0], str(LIBRARY)]
        + [f"-Wl,-rpath,{Path(found[0]).parent}:{LIBRARY.parent}"],
        check=True,
    )
    site = sysconfig.get_paths()["purelib"]
    arguments = [str(PROGRAM), str(LIBRARY), str(ROOT / "bindings/python"), site]
    sys.exit(subprocess.run(arguments, env={"PYTHONHOME": sys.base_prefix}).returncode)


if __name__ == "__main__":
    main()
