"""Runs the README's programs as a reader would: pasted into a file, compiled or interpreted, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


#: What the package's own README speaks of beside that.
GIVEN = """
import numpy
random = numpy.random.default_rng(0)
pictures, labels = random.random((8, 3, 224, 224), dtype=numpy.float32), random.integers(0, 10, 8)
more_pictures, their_labels = pictures[:4], labels[:4]
"""

#: What the second Python program finds: weights, a picture, and a folder of red and yellow ones.
FILES = """
import os, numpy, sasuka
from PIL import Image
sasuka.create_model("resnet18", seed=1).save_weights("resnet18.pth")
random = numpy.random.default_rng(0)
for name, colour in (("rose", (200, 20, 60)), ("tulip", (230, 200, 30))):
    os.makedirs("flowers/" + name)
    for number in range(5):
        pixels = numpy.clip(random.normal(colour, 25, (60, 80, 3)), 0, 255).astype(numpy.uint8)
        Image.fromarray(pixels).save(f"flowers/{name}/{number}.jpg")
Image.fromarray(pixels).save("picture.jpg")
"""


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
    if [len(found) for found in programs.values()] != [1, 2]:
        sys.exit("readme: one C program and two Python programs are expected")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "light.c").write_text(programs["c"][0])
        Path(folder, "light.py").write_text(programs["python"][0])
        # Its commands, with the library installed below a home and in what looks like a checkout.
        for place in ("Include", "build"):
            Path(folder, place).symlink_to(ROOT / place)
        home = str(Path(folder, "home"))
        run([str(ROOT / "Scripts/install.sh"), str(ROOT / "build/libsasuka.so"), f"{home}/.local"], folder)
        commands = re.findall(r"`(cc light\.c [^`]*)`", text)
        if len(commands) != 2:
            sys.exit("readme: two commands that compile light.c are expected")
        for command in commands:
            run(["sh", "-ec", f"{command} -std=c99 -Wall -Wextra -Werror"], folder, HOME=home)
            said = run(["./a.out"], folder)
            if "on the left" not in said:
                sys.exit(f"readme: the C program says {said!r}")
        package = str(ROOT / "bindings" / "python")
        said = run([sys.executable, "light.py"], folder, PYTHONPATH=package)
        if "classes [0 0 0 0 1 1 1 1 0 0 0 0 1 1 1 1]" not in said:
            sys.exit(f"readme: the Python program says {said!r}")
        Path(folder, "flowers.py").write_text(programs["python"][1])
        run([sys.executable, "-c", FILES], folder, PYTHONPATH=package)
        said = run([sys.executable, "flowers.py"], folder, PYTHONPATH=package)
        names = re.findall(r"Prediction\(name='(\w+)'", said)
        if "accuracy=" not in said or sorted(names) != ["rose", "tulip"] or not Path(folder, "flowers.pth").is_file():
            sys.exit(f"readme: the second Python program says {said!r}")
        own = re.findall(r"```python\n(.*?)```", (ROOT / "bindings/python/README.md").read_text(), flags=re.S)
        Path(folder, "own.py").write_text(GIVEN + "".join(own))
        said = run([sys.executable, "own.py"], folder, PYTHONPATH=package)
        if len(own) != 4 or "Evaluation(" not in said or "parameters: 650" not in said or not Path(folder, "confusion.png").is_file():
            sys.exit(f"readme: the programs of bindings/python/README.md say {said!r}")
    print("readme: the programs run")


if __name__ == "__main__":
    main()
