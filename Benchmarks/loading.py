#!/usr/bin/env python3
"""Time and peak memory of loading weights: Sasuka beside PyTorch and safetensors, each load in a process of its own.

    Benchmarks/loading.py [--network vgg16] [--repeats 5]

Runs in the environment that Benchmarks/setup-peers.sh makes. The files lie in a temporary folder and in the page cache:
what is measured is reading and checking, not the disk. Time is that of the load alone, into a model that exists; peak
memory is the process's, its interpreter and libraries included, once before the load and once after.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "Benchmarks"), str(ROOT / "bindings" / "python")]


def peak() -> float:
    """Most memory that this process has held, MB."""
    # Not getrusage's, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def torchvision_model(network: str) -> Any:
    from networks import architecture

    return architecture(network)


def sasuka_load(network: str, path: str) -> Callable[[], object]:
    import sasuka

    model = sasuka.create_model(network)
    return lambda: model.load_weights(path)


def torch_load(network: str, path: str) -> Callable[[], object]:
    import torch

    model = torchvision_model(network)
    return lambda: model.load_state_dict(torch.load(path, weights_only=True))


def torch_load_mapped(network: str, path: str) -> Callable[[], object]:
    import torch

    model = torchvision_model(network)
    return lambda: model.load_state_dict(torch.load(path, weights_only=True, mmap=True))


def safetensors_load(network: str, path: str) -> Callable[[], object]:
    from safetensors.torch import load_file

    model = torchvision_model(network)
    return lambda: model.load_state_dict(load_file(path))


#: Name, file, what loads it.
LOADS = {
    "Sasuka .pth": ("weights.pth", sasuka_load),
    "Sasuka .pth before 1.6": ("old.pth", sasuka_load),
    "Sasuka .safetensors": ("weights.safetensors", sasuka_load),
    "PyTorch .pth": ("weights.pth", torch_load),
    "PyTorch .pth, mmap": ("weights.pth", torch_load_mapped),
    "PyTorch .pth before 1.6": ("old.pth", torch_load),
    "safetensors": ("weights.safetensors", safetensors_load),
}


def make_files(network: str, folder: Path) -> None:
    """The same weights as PyTorch and safetensors save them."""
    import torch
    from safetensors.torch import save_file

    state = torchvision_model(network).state_dict()
    torch.save(state, folder / "weights.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "weights.safetensors")


def measure(name: str, network: str, folder: Path) -> None:
    """Prints seconds, peak before and peak after: run in a process of its own."""
    file, prepare = LOADS[name]
    load = prepare(network, str(folder / file))
    before = peak()
    start = time.perf_counter()
    load()
    print(time.perf_counter() - start, before, peak())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="vgg16")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], options.network, Path(options.measure[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_files(options.network, Path(folder))
        results: dict[str, list[list[float]]] = {name: [] for name in LOADS}
        for _ in range(options.repeats):
            for name in LOADS:
                command = [sys.executable, __file__, "--network", options.network, "--measure", name, folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results[name].append([float(number) for number in done.stdout.split()])
        size = (Path(folder) / "weights.pth").stat().st_size / 1e6
        print(f"{options.network}, {size:.0f} MB: least of {options.repeats} runs in turn")
        print(f"{'':26}{'seconds':>9}{'peak before, MB':>18}{'peak after, MB':>17}")
        for name, runs in results.items():
            seconds, before, after = min(runs)
            print(f"{name:26}{seconds:9.2f}{before:18.0f}{after:17.0f}")


if __name__ == "__main__":
    main()
