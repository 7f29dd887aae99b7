"""Commands about networks: list, summary, convert, benchmark."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ..bundle import DESCRIPTION, Bundle
from ..errors import InvalidArgumentError
from ..model import Model, create_model
from ..trainer import Trainer
from ..zoo import FAMILIES, list_models
from .common import Command, add_threads, load_weights


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help='such as "resnet*"; default: all')
    parser.add_argument("--module", choices=sorted(FAMILIES), metavar="NAME", help=f"a family: {', '.join(FAMILIES)}")


def _list(given: argparse.Namespace) -> list[str]:
    return list_models(given.pattern, module=given.module)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", metavar="ARCHITECTURE", help="a name that `list` shows, or a folder that `train` wrote")
    parser.add_argument("--num-classes", type=int, default=0, metavar="N", help="default: as published")
    parser.add_argument("--in-channels", type=int, default=0, metavar="N", help="default: as published")
    add_threads(parser)


def _network(given: argparse.Namespace) -> Model:
    if Path(given.architecture, DESCRIPTION).is_file():
        if given.num_classes or given.in_channels:
            raise InvalidArgumentError(f"{given.architecture} has classes and channels; --num-classes and --in-channels are for architectures")
        return Bundle.load(given.architecture, threads=given.threads).model
    return create_model(
        given.architecture, num_classes=given.num_classes, in_channels=given.in_channels, threads=given.threads
    )


def _summary_arguments(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("--size", type=int, metavar="PIXELS", help="of the square input; default: nominal")


def _summary(given: argparse.Namespace) -> dict[str, Any]:
    model = _network(given)
    shape = None if given.size is None else (1, model.input_shape[0], given.size, given.size)
    layers = model.layers(shape)
    return {
        "architecture": given.architecture,
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "layers": [layer._asdict() for layer in layers],
        "text": model.summary(shape),
    }


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("source", metavar="SOURCE", help="weights: .pth, .safetensors or .npz")
    parser.add_argument("destination", metavar="DESTINATION", help="its ending says the format")
    parser.add_argument("--key", metavar="NAME", help="of the state dict in a PyTorch checkpoint that holds several")


def _convert(given: argparse.Namespace) -> dict[str, Any]:
    if not given.destination.endswith((".pth", ".pt", ".npz", ".safetensors")):
        raise InvalidArgumentError(f"{given.destination}: .pth, .pt, .npz or .safetensors is expected")
    model = _network(given)
    load_weights(model, given.source, given.key)
    model.save_weights(given.destination)
    count = sum(int(np.prod(parameter.shape)) for parameter in model.parameters())
    return {"source": given.source, "destination": given.destination, "tensors": len(model.parameters()), "numbers": count}


def _show_convert(found: dict[str, Any]) -> str:
    return f"{found['destination']}: {found['tensors']} tensors, {found['numbers']:,} numbers"


def _benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures in a batch (1)")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="of the square input; default: nominal")
    parser.add_argument("--repeat", type=int, default=20, metavar="N", help="runs that are timed (20)")
    parser.add_argument("--train", action="store_true", help="training steps (SGD with momentum) instead of inference")


def _benchmark(given: argparse.Namespace) -> dict[str, Any]:
    if given.repeat < 1 or given.batch < 1:
        raise InvalidArgumentError(f"--batch {given.batch} and --repeat {given.repeat}; at least 1 is expected")
    model = _network(given)
    channels, *sides = model.input_shape
    shape = (given.batch, channels, *(sides if given.size is None else [given.size] * 2))
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    run = _training_step(model, x) if given.train else _inference(model, x)
    run()
    times = []
    for _ in range(given.repeat):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    median = statistics.median(times)
    return {
        "architecture": given.architecture,
        "what": "training step" if given.train else "inference",
        "input": list(shape),
        "threads": given.threads,
        "milliseconds": {"median": 1e3 * median, "least": 1e3 * min(times)},
        "pictures_per_second": given.batch / median,
    }


def _training_step(model: Model, x: np.ndarray) -> Callable[[], object]:
    labels = np.arange(len(x)) % model.output_shape(x.shape)[1]
    trainer = Trainer(model, "sgd", 1e-3, momentum=0.9)
    return lambda: trainer.step(x, labels)


def _inference(model: Model, x: np.ndarray) -> Callable[[], object]:
    session = model.session(x.shape)
    out = np.empty(session.output_shape, dtype=np.float32)
    return lambda: session(x, out)


def _show_benchmark(found: dict[str, Any]) -> str:
    times = found["milliseconds"]
    shape = " x ".join(map(str, found["input"]))
    return (
        f"{found['architecture']}, {found['what']} of {shape}: median {times['median']:.2f} ms, least {times['least']:.2f} ms, "
        f"{found['pictures_per_second']:.1f} pictures/s"
    )


COMMANDS = [
    Command("list", "the architectures' names", _list_arguments, _list, "\n".join),
    Command("summary", "the table of an architecture's layers", _summary_arguments, _summary, lambda found: str(found["text"])),
    Command("convert", "weights from one format into another", _convert_arguments, _convert, _show_convert),
    Command("benchmark", "how fast an architecture runs here", _benchmark_arguments, _benchmark, _show_benchmark),
]
