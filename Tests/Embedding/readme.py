"""Runs the README's programs as a reader would: pasted into a file, compiled or interpreted, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(command: list[str], folder: str, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        sys.exit(f"readme: {' '.join(command)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    text = (ROOT / "README.md").read_text()
    programs = {language: re.findall(rf"```{language}\n(.*?)```", text, flags=re.S) for language in ("c", "python")}
    if any(len(found) != 1 for found in programs.values()):
        sys.exit("readme: one C program and one Python program are expected")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "light.c").write_text(programs["c"][0])
        Path(folder, "light.py").write_text(programs["python"][0])
        library = str(ROOT / "build")
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'Include'}"]
        run(["cc", *flags, "light.c", f"-L{library}", "-lsasuka", f"-Wl,-rpath,{library}", "-o", "light"], folder)
        said = run(["./light"], folder)
        if "on the left" not in said:
            sys.exit(f"readme: the C program says {said!r}")
        said = run([sys.executable, "light.py"], folder, PYTHONPATH=str(ROOT / "bindings" / "python"))
        if "classes [0 0 0 0 1 1 1 1 0 0 0 0 1 1 1 1]" not in said:
            sys.exit(f"readme: the Python program says {said!r}")
    print("readme: both programs run")


if __name__ == "__main__":
    main()
