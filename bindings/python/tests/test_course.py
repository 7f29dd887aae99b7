"""The course's scripts run, on few pictures, and what they print makes sense."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data() -> str:
    """The folder with Fashion-MNIST that `make demo` uses."""
    done = subprocess.run([str(ROOT / "Scripts" / "fetch-fashion-mnist.sh")], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Fashion-MNIST cannot be fetched: {done.stderr.strip()}")
    return done.stdout.strip()


def run(script: str, *arguments: str) -> list[list[str]]:
    """The cells of each line that a script of Examples/course prints."""
    path = os.pathsep.join([str(ROOT / "bindings" / "python"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "Examples" / "course" / f"{script}.py"), *arguments],
        capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]


def numbers(rows: list[list[str]], column: int) -> dict[str, float]:
    """First cell -> the number in another one, for rows that have as many."""
    return {row[0]: float(row[column].split()[0].replace(",", "")) for row in rows if len(row) > column}


def test_ablation(data: str) -> None:
    rows = run("ablation", "--data", data, "--pictures", "640", "--epochs", "2", "--tests", "250")
    table = rows[2:]
    parameters, accuracy, points = (numbers(table, column) for column in (1, 2, 3))
    # cifar_resnet20 for one channel, with projections where shapes change.
    assert parameters["nothing"] == 272_186 and points["nothing"] == 0 and accuracy["nothing"] > 20
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]
    # A block has two convolutions of 3 x 3 and two normalisations; its shortcut, where it has weights, stays.
    for block in blocks:
        channels = 16 * 2 ** (int(block[5]) - 1)
        incoming = channels // 2 if block[5:] in ("2.0", "3.0") else channels
        assert parameters["nothing"] - parameters[block] == 9 * channels * (incoming + channels) + 4 * channels, block
    assert parameters["6 identity blocks"] < parameters["4 identity blocks"] < parameters["2 identity blocks"]
    for title, change in points.items():
        assert change == pytest.approx(accuracy[title] - accuracy["nothing"], abs=0.011)
    # Without any shortcut, what was learnt with them is worth nothing.
    assert accuracy["all shortcuts"] < accuracy["nothing"] - 5


def test_gradient_norms(data: str) -> None:
    rows = run("gradient_norms", "--data", data, "--pictures", "16", "--tests", "1")
    ends = dict(zip(rows[0], next(row for row in rows if row[0] == "first / last")))
    ratios = {title: float(ends[title]) for title in rows[0][1:]}
    first = {title: float(cell) for title, cell in zip(rows[0][1:], rows[1][1:])}
    assert rows[1][0] == "conv1" and 0.1 < first["residual"] < 100
    # Without shortcuts gradients explode towards the input behind normalisations, or vanish where weights are small.
    assert ratios["plain"] > 10 * ratios["residual"]
    assert 0 < first["plain, no norm, small"] < 1e-12


def test_layer_table() -> None:
    rows = run("layer_table", "vgg16")
    table = rows[next(place for place, row in enumerate(rows) if row[0] == "largest layers") :]
    assert table[1] == ["classifier.0", "102,764,544", "74.3 %", "0.7 %"]
    shares = numbers(table[1:], 2)
    assert shares["classifier.0"] + shares["classifier.3"] + shares["classifier.6"] > 89
    assert any("138,357,544" in cell for row in rows for cell in row)


def test_sliding_classifier() -> None:
    rows = run("sliding_classifier", "alexnet")
    found = {row[0]: row for row in rows[1:]}
    assert found["without padding"][1] == "7 x 7" and float(found["without padding"][4]) < 1e-4
    # The crops' borders are padded, the picture's are elsewhere.
    assert found["alexnet"][1] == "5 x 5" and 1e-4 < float(found["alexnet"][4]) < 1


def test_strided_pooling(data: str) -> None:
    rows = run("strided_pooling", "--data", data, "--pictures", "640", "--epochs", "1", "--tests", "250")
    parameters, work, accuracy = (numbers(rows[1:], column) for column in (1, 2, 4))
    assert len(parameters) == 7 and all(0 <= share <= 100 for share in accuracy.values())
    pooled = parameters["maximum pooling"]
    # Convolutions of all 16 and of all 32 channels with the poolings' kernel of 2 x 2.
    assert parameters["convolution, begins as average"] - pooled == 4 * (16**2 + 32**2) + 16 + 32
    assert parameters["depthwise convolution"] - pooled == (4 + 1) * (16 + 32)
    assert parameters["stride in the convolution before"] == pooled
    assert parameters["maximum pooling, global average"] < pooled / 4
    assert work["stride in the convolution before"] < work["maximum pooling"] < work["convolution, begins as average"]
    assert accuracy["maximum pooling"] > 30


def test_transfer_learning(data: str) -> None:
    few = ["--few", "64", "--seeds", "2", "--steps", "20"]
    rows = run("transfer_learning", "--data", data, "--pictures", "1280", "--epochs", "1", "--tests", "250", *few)
    known = next(row for row in rows if row[0].startswith("known classes"))[0]
    assert float(known.rsplit(" ", 1)[1]) > 0.3
    text = [" ".join(row).split() for row in rows]
    # Name, seconds, mean accuracy, and the accuracy of each seed.
    found = {" ".join(row[2:-4]): [float(cell) for cell in row[-3:]] for row in text if row[:2] == ["64", "pictures"]}
    assert set(found) == {"frozen", "fine-tuned", "from scratch"}
    for mean, *each in found.values():
        assert mean == pytest.approx(sum(each) / 2, abs=1e-4) and each[0] != each[1]
    # Four classes: a head on frozen features tells them apart better than chance, and its step is the cheapest.
    assert found["frozen"][0] > 0.4
    memory = {row[0]: float(row[-2]) for row in text if row[-1] == "MiB"}
    assert memory["cached"] < memory["frozen"] < memory["all"]


def test_dropout_and_batch_norm(data: str) -> None:
    rows = run("dropout_and_batch_norm", "--data", data, "--pictures", "64", "--tests", "1")
    scatter = {row[0]: [float(cell.split()[0]) for cell in row[1:]] for row in rows if row[0].startswith("Dropout")}
    assert float(rows[0][0].rsplit(" ", 1)[1]) > 0.7
    # A single value is lost as often; an average over 16 or 49 is hardly touched, but by the loss of its whole map.
    assert scatter["Dropout"][0] == pytest.approx(100, abs=10)
    assert scatter["Dropout"][2] < scatter["Dropout"][1] < 40
    assert all(share == pytest.approx(100, abs=15) for share in scatter["Dropout2d"])
    norms = {row[0]: row[1:] for row in rows if row[0].startswith(("training", "evaluation"))}
    assert norms["training"][:3] == ["0.000", "1.000", "1.000"]
    differences = [float(norms[f"evaluation after {passes}"][3].split()[0]) for passes in (1, 10, 100)]
    assert differences[0] > differences[1] > differences[2] and differences[2] < 1
    assert rows[-1][0].startswith("computed in evaluation:") and "batch_norm" not in rows[-1][0]


def test_the_course_in_c(data: str, tmp_path: Path) -> None:
    made = ["make", "-s", "-C", str(ROOT / "Examples"), "PREFIX=", f"OUTPUT={tmp_path}", f"{tmp_path}/course"]
    subprocess.run(made, check=True)
    command = [str(tmp_path / "course"), "--data", data, "--pictures", "1280", "--epochs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    said = done.stdout

    def number(pattern: str) -> float:
        found = re.search(pattern, said)
        assert found, f"{pattern} in:\n{said}"
        return float(found.group(1))

    # Kernels of 5, 1, 1 and 3 pixels and two poolings of 2.
    assert re.search(r"pool1 +max_pool +32 x 5 x 5 +12 x 12 +0 ", said)
    assert re.search(r"fc0 +linear +64 +28 x 28 +51264 +51200", said)
    known = number(r"known classes: accuracy (\S+)")
    assert known > 0.6 and number(r"still: accuracy (\S+)") == known
    assert number(r"without the block: accuracy (\S+)") < known
    assert all(number(rf"gradient behind {module}: norm (\S+)") > 0 for module in ("pool0", "pool1", "fc1"))
    assert number(r"poolings: accuracy \S+, (\S+) after") > 0.6
    assert "sliding over 56 x 56: 8 x 8 scores" in said and number(r"within (\S+) of the crops") < 1e-4
    before, after = number(r"other classes: accuracy (\S+),"), number(r"other classes: accuracy \S+, (\S+) with")
    assert after > max(before, 0.5)
    wrong = subprocess.run([str(tmp_path / "course"), "--data", "/nowhere"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "/nowhere" in wrong.stderr
