"""One epoch of training by a `Learner` beside the same through the C interface and, where there is one, in PyTorch.

    PYTHONPATH=bindings/python .venv/bin/python Benchmarks/epoch.py [--steps 40] [--rounds 3] [--peers PYTHON]

The network of Examples/resnet20.c, batches of 128 pictures in the same order, one thread. Times are what the process computed,
which other programs disturb least, the least of the rounds, in which all take turns. Learner and C must end with the same
loss, bit for bit: they do the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BATCH = 128


def resnet20() -> Any:
    """As Examples/resnet20.c builds it."""
    import sasuka

    graph = sasuka.Graph((1, 28, 28))

    def convolution_and_norm(x: Any, block: str, part: str, channels: int, kernel: int, stride: int) -> Any:
        y = graph.conv2d(x, f"{block}.conv{part}", channels, kernel, stride, kernel // 2, bias=False)
        return graph.batch_norm2d(y, f"{block}.bn{part}")

    x = graph.activation(convolution_and_norm(graph.input, "stem", "", 16, 3, 1), "relu")
    for stage, channels in enumerate((16, 32, 64), 1):
        for block in range(3):
            name, stride = f"stage{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = graph.activation(convolution_and_norm(x, name, "1", channels, 3, stride), "relu")
            y = convolution_and_norm(y, name, "2", channels, 3, 1)
            shortcut = convolution_and_norm(x, name, "_shortcut", channels, 1, 2) if stride == 2 else x
            x = graph.activation(graph.add(y, shortcut), "relu")
    x = graph.flatten(graph.adaptive_avg_pool2d(x, 1))
    return graph.model(graph.linear(x, "fc", 10), seed=1, threads=1)


def by_learner(pictures: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    import sasuka

    learner = sasuka.Learner(
        resnet20(),
        (pictures, labels),
        batch_size=BATCH,
        optimizer="sgd",
        lr=0.01,
        momentum=0.9,
        weight_decay=5e-4,
        threads=1,
        progress=False,
    )
    computed, elapsed = time.process_time(), time.perf_counter()
    learner.fit(1)
    return time.process_time() - computed, time.perf_counter() - elapsed, learner.losses[-1]


def by_pytorch(folder: Path, steps: int) -> None:
    """Run by a Python that has PyTorch; prints what epoch.c prints."""
    import torch

    sys.path.insert(0, str(ROOT / "Benchmarks"))
    from fashion_mnist_pytorch import resnet20 as network

    torch.set_num_threads(1)
    pictures = torch.from_numpy(np.fromfile(folder / "pictures", np.float32).reshape(-1, 1, 28, 28))
    labels = torch.from_numpy(np.fromfile(folder / "labels", np.int32).astype(np.int64))
    order = torch.from_numpy(np.fromfile(folder / "order", np.int64))
    model = network().train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    computed, elapsed = time.process_time(), time.perf_counter()
    for step in range(steps):
        picked = order[step * BATCH : (step + 1) * BATCH]
        loss = torch.nn.functional.cross_entropy(model(pictures[picked]), labels[picked])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        last = loss.item()
    print(time.process_time() - computed, time.perf_counter() - elapsed, last)


def said(command: list[str]) -> tuple[float, float, float]:
    """The three numbers that a program prints."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    computed, elapsed, loss = map(float, done.stdout.split()[-3:])
    return computed, elapsed, loss


def main() -> None:
    parser = argparse.ArgumentParser(description="One epoch by a Learner, in C and in PyTorch.")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiler", default="clang")
    parser.add_argument("--peers", help="a Python that has PyTorch")
    parser.add_argument("--pytorch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.pytorch:
        by_pytorch(given.pytorch, given.steps)
        return
    from sasuka.data import ArrayDataset, DataLoader

    random = np.random.default_rng(0)
    count = given.steps * BATCH
    pictures = random.standard_normal((count, 1, 28, 28), dtype=np.float32)
    labels = random.integers(0, 10, count).astype(np.int32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures.tofile(folder / "pictures")
        labels.tofile(folder / "labels")
        # A Learner's own order of its first epoch.
        DataLoader(ArrayDataset(pictures, labels), BATCH, True).order(0).astype(np.int64).tofile(folder / "order")
        sources = [str(ROOT / "Benchmarks/epoch.c"), str(ROOT / "Examples/resnet20.c")]
        flags = ["-O2", f"-I{ROOT}/Include", f"-L{ROOT}/build", f"-Wl,-rpath,{ROOT}/build", "-lsasuka", "-lm"]
        subprocess.run([given.compiler, *sources, *flags, "-o", name + "/epoch"], check=True)
        files = [str(folder / part) for part in ("pictures", "labels", "order")]
        found: dict[str, list[tuple[float, float, float]]] = {"C": [], "Learner": []}
        for _ in range(given.rounds):
            found["C"].append(said([name + "/epoch", *files, str(given.steps), str(BATCH)]))
            found["Learner"].append(by_learner(pictures, labels))
            if given.peers:
                command = [given.peers, __file__, "--pytorch", name, "--steps", str(given.steps)]
                found.setdefault("PyTorch", []).append(said(command))
    if found["C"][0][2] != found["Learner"][0][2]:
        sys.exit(f"the losses differ: {found['C'][0][2]} in C, {found['Learner'][0][2]} by the Learner")
    base = min(computed for computed, _, _ in found["C"])
    print(f"{given.steps} steps of {BATCH} pictures, one thread; least of {given.rounds} rounds")
    for who, rounds in found.items():
        computed, elapsed = min(times[0] for times in rounds), min(times[1] for times in rounds)
        print(f"{who:8} {computed:8.3f} s computed ({computed / base:5.3f} of C's), {elapsed:8.3f} s elapsed")


if __name__ == "__main__":
    main()
