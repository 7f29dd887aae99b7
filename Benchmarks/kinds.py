"""Layers of kinds that the networks of the tables lack, and small networks, beside other engines: what a network of one's own
is made of.

    make bench-kinds [KINDS="dilation transposed"] [BATCH=1] [THREADS=1]

Each is built from the same description in PyTorch and in Sasuka,
with PyTorch's first weights; the others load its ONNX file. All run in turn, and of each the least time of a call counts, its
copies between the host's layout and the engine's included. The ratio is the fastest peer's time divided by Sasuka's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bindings/python"))

#: Makes a list of layers from `torch.nn` or `sasuka.nn`, which have the same words.
Layers = Callable[[Any], list[Any]]


def convolutions(kernel: int, channels: int = 64, function: str = "ReLU", **options: Any) -> Layers:
    """Three in a row that leave the size as it is, with what follows them in a network."""
    options = {"padding": options.get("dilation", 1) * (kernel - 1) // 2, **options}
    return lambda nn: [
        layer for _ in range(3) for layer in (nn.Conv2d(channels, channels, kernel, **options), getattr(nn, function)())
    ]


def transposed(kernel: int, inputs: int = 64, outputs: int = 64, **options: Any) -> Layers:
    return lambda nn: [nn.ConvTranspose2d(inputs, outputs, kernel, **options), nn.ReLU()]


def one(name: str, *arguments: Any, **options: Any) -> Layers:
    return lambda nn: [getattr(nn, name)(*arguments, **options)]


def expanded(nn: Any) -> list[Any]:
    """The inner map of EfficientNet's blocks (Tan and Le 2019)."""
    return [nn.Conv2d(24, 144, 1), nn.SiLU(), nn.Conv2d(144, 144, 3, 1, 1, groups=144), nn.SiLU(), nn.Conv2d(144, 24, 1)]


def generator(nn: Any) -> list[Any]:
    """DCGAN's (Radford et al. 2015)."""
    layers = [nn.ConvTranspose2d(100, 512, 4), nn.ReLU()]
    for channels in (512, 256, 128):
        layers += [nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1), nn.ReLU()]
    return [*layers, nn.ConvTranspose2d(64, 3, 4, stride=2, padding=1), nn.Tanh()]


def discriminator(nn: Any) -> list[Any]:
    layers = []
    for inputs, outputs in ((3, 64), (64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return [*layers, nn.Conv2d(512, 1, 4), nn.Sigmoid()]


def autoencoder(nn: Any) -> list[Any]:
    down = [nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
    up = [nn.ConvTranspose2d(64, 32, 7), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1)]
    last = nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1)
    return [*down, nn.Conv2d(32, 64, 7), nn.ReLU(), *up, nn.ReLU(), last, nn.Sigmoid()]


def lenet(nn: Any) -> list[Any]:
    layers = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return [*layers, nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]


CASES: dict[str, tuple[tuple[int, ...], Layers]] = {
    **{f"convolution {kernel}x{kernel}": ((64, 28, 28), convolutions(kernel)) for kernel in (1, 3, 5, 7, 9)},
    **{
        f"convolution {kernel}x{kernel}, stride 2": ((64, 56, 56), one("Conv2d", 64, 64, kernel, 2, (kernel - 1) // 2))
        for kernel in (3, 4, 5, 7)
    },
    **{
        f"convolution 3x3, dilation {step}": ((64, 28, 28), convolutions(3, padding=step, dilation=step))
        for step in (2, 3, 4, 6, 12)
    },
    **{f"convolution 3x3 in {groups} groups": ((128, 28, 28), convolutions(3, 128, groups=groups)) for groups in (2, 8, 32)},
    **{
        f"convolution {kernel}x{kernel} in 17 groups of 24": ((408, 14, 14), convolutions(kernel, 408, groups=17))
        for kernel in (1, 3)
    },
    **{f"convolution {kernel}x{kernel} depthwise": ((96, 28, 28), convolutions(kernel, 96, groups=96)) for kernel in (3, 5, 7)},
    **{
        f"convolution {kernel}x{kernel} depthwise, dilation 2": (
            (96, 28, 28),
            convolutions(kernel, 96, groups=96, padding=kernel - 1, dilation=2),
        )
        for kernel in (3, 5)
    },
    "convolution 7x7 of an image of 7x7": ((512, 7, 7), one("Conv2d", 512, 4096, 7)),
    **{
        f"convolution {kernel}x{kernel} of a picture": ((3, 128, 128), one("Conv2d", 3, 64, kernel, padding=kernel // 2))
        for kernel in (3, 5, 7, 9)
    },
    **{
        f"convolution {kernel} along a row": ((48, 1, 512), one("Conv2d", 48, 48, (1, kernel), padding=(0, kernel // 2)))
        for kernel in (3, 5, 9, 17)
    },
    "convolution 5x5 to a channel": ((64, 64, 64), one("Conv2d", 64, 1, 5, 1, 2)),
    "convolution 9 along a row, stride 2": ((48, 1, 512), one("Conv2d", 48, 48, (1, 9), (1, 2), (0, 4))),
    "convolution 16x16 of patches": ((3, 224, 224), one("Conv2d", 3, 384, 16, 16)),
    "convolution of three words": ((1, 64, 128), one("Conv2d", 1, 100, (3, 128))),
    "transposed 2x2, stride 2": ((64, 28, 28), transposed(2, stride=2)),
    "transposed 2x2, stride 2, few channels": ((64, 56, 56), transposed(2, 64, 8, stride=2)),
    "transposed 3x3, stride 2": ((64, 28, 28), transposed(3, stride=2, padding=1, output_padding=1)),
    "transposed 4x4, stride 2": ((64, 28, 28), transposed(4, stride=2, padding=1)),
    "transposed 4x4, stride 2, to a picture": ((64, 64, 64), transposed(4, 64, 3, stride=2, padding=1)),
    "transposed 9x9, stride 3, to a channel": ((56, 48, 48), transposed(9, 56, 1, stride=3, padding=4, output_padding=2)),
    "transposed 7x7 of a pixel": ((64, 1, 1), transposed(7)),
    "max pooling 5x5": ((64, 56, 56), one("MaxPool2d", 5, stride=1, padding=2)),
    "max pooling 13x13": ((64, 56, 56), one("MaxPool2d", 13, stride=1, padding=6)),
    "SiLU": ((64, 56, 56), one("SiLU")),
    "convolution 3x3 and SiLU": ((64, 56, 56), convolutions(3, function="SiLU")),
    "convolution 1x1 and hard swish": ((64, 56, 56), convolutions(1, function="Hardswish")),
    "expanded with SiLU": ((24, 56, 56), expanded),
    "linear": ((4096,), one("Linear", 4096, 4096)),
    "linear, short rows": ((64,), one("Linear", 64, 2048)),
    "LeNet": ((1, 28, 28), lenet),
    "autoencoder": ((1, 28, 28), autoencoder),
    "generator": ((100, 1, 1), generator),
    "discriminator": ((3, 64, 64), discriminator),
}


def engines(case: tuple[tuple[int, ...], Layers], batch: int, threads: int) -> dict[str, Callable[[], np.ndarray]]:
    """A call of each engine, on the same input."""
    import onnxruntime
    import openvino
    import torch

    from sasuka import nn

    shape, layers = case
    network = torch.nn.Sequential(*layers(torch.nn)).eval()
    x = np.random.default_rng(0).standard_normal((batch, *shape), dtype=np.float32)
    model = nn.Sequential(*layers(nn)).model(shape, threads=threads)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    if state:
        model.load_state_dict(state)
    session = model.session(x.shape)
    out = np.empty(session.output_shape, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "network.onnx")
        with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            torch.onnx.export(network, torch.from_numpy(x), file, dynamo=False, input_names=["input"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        runtime = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()
    return {
        "Sasuka": lambda: session(x, out=out),
        "ONNX Runtime": lambda: runtime.run(None, {"input": x})[0],
        "OpenVINO": lambda: request.infer({0: x}, share_inputs=True, share_outputs=True)[0],
    }


def least(calls: dict[str, Callable[[], np.ndarray]], turns: int) -> dict[str, float]:
    """Microseconds of each call, in turn."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(turns):
        for name, call in calls.items():
            call()
            end, left = time.perf_counter() + 0.03, 3
            while left > 0 or time.perf_counter() < end:
                begun = time.perf_counter()
                call()
                found[name] = min(found[name], (time.perf_counter() - begun) * 1e6)
                left -= 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names; default: all")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=6)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    print("| layer | Sasuka us | ONNX Runtime | OpenVINO | ratio |\n|---|---:|---:|---:|---:|")
    for name, case in CASES.items():
        if chosen.names and not any(part in name for part in chosen.names):
            continue
        calls = engines(case, chosen.batch, chosen.threads)
        ours, *others = (call().copy() for call in calls.values())
        for other in others:
            assert np.abs(ours - other).max() <= 1e-4 * np.abs(other).max(), f"{name}: results differ"
        times = least(calls, chosen.turns)
        ratio = min(times["ONNX Runtime"], times["OpenVINO"]) / times["Sasuka"]
        print(f"| {name} | " + " | ".join(f"{value:.0f}" for value in times.values()) + f" | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
