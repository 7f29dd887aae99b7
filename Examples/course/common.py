"""What the scripts of this folder share: Fashion-MNIST, a short training, tables.

Run them from a checkout after `make`: PYTHONPATH=bindings/python python Examples/course/ablation.py
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import sasuka
from sasuka.data import idx_dataset

#: Of Fashion-MNIST's training pictures between 0 and 1.
MEAN, DEVIATION = 0.2860, 0.3530

Data = tuple[np.ndarray, np.ndarray]


def parser(text: str | None, pictures: int, epochs: int) -> argparse.ArgumentParser:
    """The arguments that all trainings take."""
    made = argparse.ArgumentParser(description=text)
    made.add_argument("--data", help="a folder with Fashion-MNIST's IDX files; fetched unless given")
    made.add_argument("--pictures", type=int, default=pictures, help=f"to train on (default {pictures})")
    made.add_argument("--tests", type=int, default=10_000, help="to evaluate on (default all 10000)")
    made.add_argument("--epochs", type=int, default=epochs, help=f"default {epochs}")
    made.add_argument("--threads", type=int, default=0, help="default: one for each processor")
    return made


def fashion_mnist(arguments: argparse.Namespace) -> tuple[Data, Data]:
    """Training and test pictures [count, 1, 28, 28], normalised, and their classes."""
    folder = arguments.data
    if folder is None:
        script = Path(__file__).resolve().parents[2] / "Scripts" / "fetch-fashion-mnist.sh"
        folder = subprocess.run([str(script)], check=True, capture_output=True, text=True).stdout.strip()
    parts = []
    for train, count in ((True, arguments.pictures), (False, arguments.tests)):
        pictures, classes = idx_dataset(folder, train).batch(np.arange(count))
        parts.append((((pictures / np.float32(255) - MEAN) / DEVIATION).astype(np.float32), classes.astype(np.int64)))
    return parts[0], parts[1]


def train(
    model: sasuka.Model, data: Data, epochs: int, lr: float = 0.1, batch: int = 64, seed: int = 0, threads: int = 0
) -> float:
    """SGD with momentum over one cosine; the order follows from the seed. Returns the seconds."""
    pictures, classes = data
    steps = epochs * (len(pictures) // batch)
    with sasuka.Trainer(model, "sgd", lr, momentum=0.9, weight_decay=1e-4, seed=seed, threads=threads) as trainer:
        trainer.set_schedule("cosine", total_steps=steps, warm_up_steps=min(50, steps // 10))
        start, random = time.perf_counter(), np.random.default_rng(seed)
        for _ in range(epochs):
            order = random.permutation(len(pictures))
            for first in range(0, len(order) - batch + 1, batch):
                part = order[first : first + batch]
                trainer.step(pictures[part], classes[part])
        return time.perf_counter() - start


def accuracy(model: sasuka.Model, data: Data, batch: int = 250) -> float:
    """Share of the pictures whose class has the highest logit."""
    pictures, classes = data
    right = 0
    for first in range(0, len(pictures), batch):
        right += int((model(pictures[first : first + batch]).argmax(1) == classes[first : first + batch]).sum())
    return right / len(pictures)


def learnt(model: sasuka.Model) -> int:
    """Numbers that training changes."""
    return sum(int(np.prod(entry.shape)) for entry in model.parameters() if entry.kind == "weight")


def show(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; numbers stand to the right."""
    texts = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        cells = [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells), flush=True)
