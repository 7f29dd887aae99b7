"""The wheel that `make wheel` built, installed where nothing of the checkout is seen."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest

import sasuka

PACKAGE = Path(sasuka.__file__).parent
FOLDER = os.environ.get("SASUKA_WHEELS")

TRAINS = """
import json, sys, numpy as np, sasuka
graph = sasuka.Graph((1, 8, 8))
x = graph.activation(graph.conv2d(graph.input, "conv", 4, 3, padding="same"), "relu")
model = graph.model(graph.linear(graph.flatten(x), "fc", 2))
pictures = np.zeros((8, 1, 8, 8), dtype=np.float32)
pictures[np.arange(8), 0, :, np.arange(8)] = 1
trainer = sasuka.Trainer(model, "adam", lr=0.01)
for _ in range(50):
    loss = trainer.step(pictures, np.arange(8) // 4)
model.save_weights("w.safetensors")
model.load_weights("w.safetensors")
print(json.dumps([loss, model(pictures).argmax(axis=1).tolist(), sasuka.__file__, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def wheel() -> Path:
    if FOLDER is None:
        pytest.skip("SASUKA_WHEELS is not set; `make test-python` builds the wheel and sets it")
    (found,) = Path(FOLDER).glob("sasuka-*.whl")
    return found


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it depends on; returns its python."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True, cwd=folder
    )
    return python


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SASUKA_LIBRARY")}
    return subprocess.run([python, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=120)


def test_the_wheel_holds_the_package_and_is_small(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"sasuka/libsasuka.so", "sasuka/include/sasuka.h", "sasuka/py.typed", "sasuka/LICENSE"} <= names
    sources = {f"sasuka/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.py")}
    assert sources == {name for name in names if name.endswith(".py")}
    assert wheel.stat().st_size < 2_000_000


def test_the_tag_is_the_newest_symbol_of_glibc(wheel: Path) -> None:
    library = zipfile.ZipFile(wheel).read("sasuka/libsasuka.so")
    newest = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", library))
    assert re.fullmatch(rf"sasuka-[\d.]+-py3-none-manylinux_2_{newest}_x86_64\.whl", wheel.name)


def test_it_works_in_a_clean_environment_outside_the_checkout(clean: Path, tmp_path: Path) -> None:
    done = run(clean, tmp_path, "-c", TRAINS)
    assert done.returncode == 0, done.stderr
    loss, classes, file, modules = json.loads(done.stdout)
    assert loss < 0.2 and classes == [0, 0, 0, 0, 1, 1, 1, 1]
    assert Path(file).is_relative_to(clean.parents[1])
    assert not {"matplotlib", "PIL", "tqdm", "sklearn", "torch"} & set(modules)


HOST = """
#include <sasuka.h>
#include <stdio.h>
int main(void) { return puts(sasuka_version()) < 0 || sasuka_abi_version() != SASUKA_ABI_VERSION; }
"""


def test_a_c_program_is_compiled_with_the_wheel_alone(clean: Path, tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    asked = run(clean, tmp_path, "-c", "import sasuka; print(sasuka.include_path(), sasuka.library_path())")
    include, library = map(Path, asked.stdout.split())
    assert include.is_relative_to(clean.parents[1]) and library.is_relative_to(clean.parents[1])
    (tmp_path / "host.c").write_text(HOST)
    flags = [f"-I{include}", f"-L{library.parent}", "-lsasuka", f"-Wl,-rpath,{library.parent}"]
    subprocess.run([compiler, "host.c", "-o", "host", *flags], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "host"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sasuka.__version__


def test_the_command_is_installed(clean: Path, tmp_path: Path) -> None:
    said = [run(clean, tmp_path, "-m", "sasuka", "list", "vgg1?"), run(clean.parent / "sasuka", tmp_path, "list", "vgg1?")]
    assert [done.stdout.split() for done in said] == [["vgg11", "vgg13", "vgg16", "vgg19"]] * 2
    # What needs Pillow says so where there is none.
    (tmp_path / "x.png").write_bytes(b"")
    weights = run(clean, tmp_path, "-c", "import sasuka; sasuka.create_model('lenet5').save_weights('w.npz')")
    assert weights.returncode == 0
    done = run(clean, tmp_path, "-m", "sasuka", "predict", "lenet5", "--weights", "w.npz", "x.png")
    assert done.returncode == 1 and 'pip install "sasuka[vision]"' in done.stderr


def test_the_version_is_the_library_s() -> None:
    project = PACKAGE.parent / "pyproject.toml"
    (version,) = re.findall(r'^version = "(.*)"', project.read_text(), flags=re.M)
    assert sasuka.__version__ == version


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_every_module_is_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    lazy = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert lazy or not tree.body, "annotations are evaluated, and X | Y is no type before Python 3.10"


