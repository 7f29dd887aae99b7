"""One epoch of training by a `Learner` beside the same through the C interface and, where there is one, in PyTorch.

    PYTHONPATH=bindings/python .venv/bin/python Benchmarks/epoch.py [--pictures 10000] [--rounds 3] [--peers PYTHON]

The network of Examples/resnet20.c on Fashion-MNIST where its files are, else on as many random pictures: batches of 128 in the
same order, one thread. Every round starts each of them in a process of its own, so that all compile, and touch their memory
for the first time; the clock runs from the model, made of nothing, to the last step. Times are what the process computed,
which other programs disturb least; each round's ratios are taken of runs next to each other. "C again" is the same program
once more: how far its ratios are from 1 is what the machine does, not the Learner. What the Learner's thread computes
outside of the library's steps, beside what it computes in all, is measured within each of its runs, and nearly free of that.
Learner and C must end with the same loss, bit for bit: they do the same.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

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


def by_learner(folder: Path) -> None:
    """Run in a process of its own; prints what epoch.c prints."""
    import sasuka

    pictures = np.fromfile(folder / "pictures", np.float32).reshape(-1, 1, 28, 28)
    labels = np.fromfile(folder / "labels", np.int32)
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
    step, inside = sasuka.trainer.lib.sasuka_trainer_step, 0.0

    class Library:
        """The library, whose steps are timed."""

        def __getattr__(self, name: str) -> Any:
            return getattr(library, name)

        def sasuka_trainer_step(self, *arguments: Any) -> None:
            nonlocal inside
            begun = time.thread_time()
            step(*arguments)
            inside += time.thread_time() - begun

    library, sasuka.trainer.lib = sasuka.trainer.lib, Library()
    computed, elapsed, own = time.process_time(), time.perf_counter(), time.thread_time()
    learner.fit(1)
    own = time.thread_time() - own
    print(1 - inside / own, time.process_time() - computed, time.perf_counter() - elapsed, learner.losses[-1])


def by_pytorch(folder: Path) -> None:
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
    for step in range(len(labels) // BATCH):
        picked = order[step * BATCH : (step + 1) * BATCH]
        loss = torch.nn.functional.cross_entropy(model(pictures[picked]), labels[picked])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        last = loss.item()
    print(time.process_time() - computed, time.perf_counter() - elapsed, last)


class Run(NamedTuple):
    """What a program prints; only a Learner's knows the first."""

    outside: float
    computed: float
    elapsed: float
    loss: float


def said(command: list[str]) -> Run:
    """The last numbers that a program prints."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Run(*[math.nan, *map(float, done.stdout.split())][-4:])


def real_or_random(count: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Whole batches of pictures as float32, their classes, and what they are."""
    from sasuka import samples
    from sasuka.transforms import scaled

    count = count // BATCH * BATCH
    if samples.fashion_mnist_folder().is_dir():
        found = samples.fashion_mnist(count=count)
        return scaled(found.pictures), found.targets().astype(np.int32), "of Fashion-MNIST"
    random = np.random.default_rng(0)
    pictures = random.standard_normal((count, 1, 28, 28), dtype=np.float32)
    return pictures, random.integers(0, 10, count).astype(np.int32), "at random"


def main() -> None:
    parser = argparse.ArgumentParser(description="One epoch by a Learner, in C and in PyTorch.")
    parser.add_argument("--pictures", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiler", default="clang")
    parser.add_argument("--peers", help="a Python that has PyTorch")
    parser.add_argument("--by", choices=["learner", "pytorch"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.by:
        (by_learner if given.by == "learner" else by_pytorch)(given.folder)
        return
    from sasuka.data import ArrayDataset, DataLoader

    pictures, labels, kind = real_or_random(given.pictures)
    steps = len(labels) // BATCH
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
        commands = {
            "C": [name + "/epoch", *files, str(steps), str(BATCH)],
            "Learner": [sys.executable, __file__, "--by", "learner", "--folder", name],
        }
        commands["C again"] = commands["C"]
        if given.peers:
            commands["PyTorch"] = [given.peers, __file__, "--by", "pytorch", "--folder", name]
        found: dict[str, list[Run]] = {who: [] for who in commands}
        for turn in range(given.rounds):
            # Whoever comes second may find the machine warmer.
            for who in list(commands)[:: 1 if turn % 2 == 0 else -1]:
                found[who].append(said(commands[who]))
    if found["C"][0].loss != found["Learner"][0].loss:
        sys.exit(f"the losses differ: {found['C'][0].loss} in C, {found['Learner'][0].loss} by the Learner")
    print(f"{steps} steps of {BATCH} pictures {kind}, one thread, {given.rounds} rounds")
    for who, rounds in found.items():
        computed = [run.computed for run in rounds]
        ratios = ", ".join(f"{run.computed / beside.computed:.3f}" for run, beside in zip(rounds, found["C"]))
        print(
            f"{who:8} {min(computed):8.3f} s computed (of C's in each round: {ratios}), "
            f"{min(run.elapsed for run in rounds):8.3f} s elapsed"
        )
    outside = [run.outside for run in found["Learner"]]
    print(f"outside of the steps the Learner computes {100 * min(outside):.2f} to {100 * max(outside):.2f} % of its time")


if __name__ == "__main__":
    main()
