"""Where a network's time goes: every distinct layer as a fraction of what the core can do, and the shares of a forward pass.

    make bench-layers NETWORK=resnet50 [BATCH=1] [THREADS=1]

Times are the least of many runs, which other programs disturb least. "In the network" is the layer's own rows of the
profile, its padding included; "alone" a network of this layer only, repeated, so that its data lie in the caches. Multiply-adds
are those of the definition: an algorithm that needs fewer can be above 100 % of the peak.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bindings/python"))

import sasuka  # noqa: E402
from sasuka import ProfileRow  # noqa: E402

RESULTS = HERE.parent / "build/benchmarks"
FLAGS = {
    "avx512": ["-mavx512f", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
    "baseline": ["-msse2"],
}
CONVOLUTIONS = {"convolution", "banded_convolution", "linear"}
#: Which part of the whole other operators are.
PARTS = {
    "max_pool": "pooling",
    "average_pool": "pooling",
    "adaptive_average_pool": "pooling",
    "convert_layout": "layout",
    "reshape": "layout",
    "permute": "layout",
    "concatenate": "concatenation, slicing, shuffling",
    "slice": "concatenation, slicing, shuffling",
    "channel_gather": "concatenation, slicing, shuffling",
    "channel_shuffle": "concatenation, slicing, shuffling",
    "read_input": "reading the input, writing the output",
    "write_output": "reading the input, writing the output",
    "prepare_weights": "preparing weights",
}


class Peak(NamedTuple):
    """What one core does: arithmetic and memory."""

    gflops: float
    gigabytes: float

    @classmethod
    def measured(cls, compiler: str) -> Peak:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "peak"
            flags = FLAGS[sasuka.instruction_set()]
            command = [compiler, "-O2", "-ffp-contract=fast", *flags, HERE / "peak.c", "-o", program]
            subprocess.run(command, check=True)
            return cls(*map(float, subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()))


class Layer(NamedTuple):
    """What makes two layers the same work."""

    kind: str
    algorithm: str
    weight: tuple[int, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]
    #: What is computed together with it, by bands of rows.
    behind: str

    @classmethod
    def of(cls, row: ProfileRow, shapes: dict[str, tuple[int, ...]]) -> Layer:
        name, _, second = row.name.partition(" + ")
        behind = second and (" and the depthwise one behind it" if second + ".weight" in shapes else " and the pooling behind it")
        return cls(row.kind, row.algorithm, shapes.get(name + ".weight", ()), row.input_shape, row.output_shape, behind)

    @property
    def groups(self) -> int:
        return self.input[1] // self.weight[1]

    @property
    def stride(self) -> tuple[int, int]:
        """From the sizes, which leave no choice but for maps of a few pixels."""
        return tuple(max(1, round(before / after)) for before, after in zip(self.input[2:], self.output[2:]))

    @property
    def padding(self) -> tuple[int, int]:
        sizes = zip(self.input[2:], self.output[2:], self.stride, self.weight[2:])
        return tuple(max(0, -(-((after - 1) * stride + kernel - before) // 2)) for before, after, stride, kernel in sizes)

    @property
    def title(self) -> str:
        if self.kind == "banded_convolution":
            return "convolution " + "x".join(map(str, self.weight[2:])) + self.behind
        if self.kind != "convolution":
            return self.kind
        kernel, stride = "x".join(map(str, self.weight[2:])), max(self.stride)
        if self.groups == 1:
            groups = ""
        elif self.groups == self.input[1]:
            groups = " depthwise"
        else:
            groups = f" in {self.groups} groups"
        return f"convolution {kernel}{f' stride {stride}' if stride > 1 else ''}{groups}"

    def alone(self) -> sasuka.Model | None:
        """A network of this layer, or None where its sizes do not say what it is."""
        graph = sasuka.Graph(self.input[1:])
        if self.kind == "linear":
            return graph.model(graph.linear(graph.input, "layer", self.weight[0]))
        if self.kind != "convolution" or min(self.stride) != max(self.stride):
            return None
        x = graph.conv2d(
            graph.input, "layer", self.weight[0], self.weight[2:], stride=self.stride, padding=self.padding, groups=self.groups
        )
        model = graph.model(x)
        return model if model.output_shape(self.input) == self.output else None


def time_alone(layer: Layer, chosen: argparse.Namespace) -> float | None:
    """Nanoseconds of the layer itself, without the layout conversions around it."""
    model = layer.alone()
    if model is None:
        return None
    x = np.random.default_rng(0).standard_normal(layer.input, dtype=np.float32)
    with model.session(layer.input, threads=chosen.threads, profile=True) as session:
        session(x)
        rows = session.profile(x, runs=chosen.runs, least=True)
    return sum(row.nanoseconds for row in rows if row.kind in CONVOLUTIONS)


def part(row: ProfileRow, layer: Layer) -> str:
    """Which part of the whole a row of the profile is."""
    if row.algorithm in ("padding", "function") or "transform" in row.algorithm:
        return row.algorithm
    if row.kind in CONVOLUTIONS and layer.weight:
        return f"{layer.title} ({row.algorithm})" if row.algorithm else layer.title
    return PARTS.get(row.kind, f"elementwise: {row.kind}")


def layers_table(layers: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| layer | algorithm | input | output | times | ms in the network | % of peak | ms alone | % of peak | share |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in layers:
        alone, peak_alone = ("", "") if each["alone"] is None else (f"{each['alone']:.3f}", f"{each['peak_alone']:.0%}")
        shapes = [" x ".join(map(str, each[which][1:])) for which in ("input", "output")]
        lines.append(
            f"| {each['title']} | {each['algorithm']} | {shapes[0]} | {shapes[1]} | {each['count']} | {each['mean']:.3f} "
            f"| {each['peak']:.0%} | {alone} | {peak_alone} | {each['share']:.1%} |"
        )
    return lines


def parts_table(parts: dict[str, float], total: float) -> list[str]:
    lines = ["| part | ms | share |", "|---|---:|---:|"]
    for title, time in sorted(parts.items(), key=lambda item: -item[1]):
        lines.append(f"| {title} | {time / 1e6:.3f} | {time / total:.1%} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--compiler", default="clang")
    chosen = parser.parse_args()

    peak = Peak.measured(chosen.compiler)
    model = sasuka.create_model(chosen.network)
    shapes = {name: shape for name, shape, _ in model.parameters()}
    side = 299 if chosen.network == "inception_v3" else 224
    x = np.random.default_rng(0).standard_normal((chosen.batch, 3, side, side), dtype=np.float32)
    with model.session(x.shape, threads=chosen.threads, profile=True) as session:
        session(x)
        profile = session.profile(x, runs=chosen.runs, least=True)
        memory = session.memory

    # GFLOP/s of all threads are operations to a nanosecond.
    most = peak.gflops * chosen.threads
    total = profile.total
    found: dict[Layer, list[ProfileRow]] = {}
    parts: dict[str, float] = {"waiting for other threads": sum(row.waiting for row in profile)}
    for row in profile:
        title = part(row, Layer.of(row, shapes))
        parts[title] = parts.get(title, 0) + row.nanoseconds - row.waiting
    for row in profile.nodes():
        if row.kind in CONVOLUTIONS:
            found.setdefault(Layer.of(row, shapes), []).append(row)
    layers = []
    for layer, rows in found.items():
        mean = sum(row.nanoseconds for row in rows) / len(rows)
        alone = time_alone(layer, chosen)
        work = 2 * rows[0].multiply_adds
        layers.append({
            "title": layer.title, "algorithm": layer.algorithm, "input": layer.input, "output": layer.output,
            "first": rows[0].name, "count": len(rows), "mean": mean / 1e6, "peak": work / mean / most,
            "alone": alone and alone / 1e6, "peak_alone": alone and work / alone / most,
            "gigabytes": rows[0].bytes / mean, "share": mean * len(rows) / total,
        })  # fmt: skip
    layers.sort(key=lambda each: -each["share"])
    work = 2 * sum(row.multiply_adds for row in profile.nodes())
    lines = [
        f"{chosen.network}, batch {chosen.batch}, {chosen.threads} thread(s), {sasuka.instruction_set()}: "
        f"{total / 1e6:.2f} ms, {work / total:.1f} GFLOP/s, {work / total / most:.0%} of a peak of {most:.0f} GFLOP/s; "
        f"memory {peak.gigabytes:.0f} GB/s; {memory / 1e6:.0f} MB beside the weights.",
        "", *layers_table(layers), "", *parts_table(parts, total), "",
    ]  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    place = RESULTS / f"layers-{chosen.network}-batch{chosen.batch}-threads{chosen.threads}"
    place.with_suffix(".md").write_text("\n".join(lines))
    report = {"peak": peak._asdict(), "total": total / 1e6, "layers": layers, "parts": parts}
    place.with_suffix(".json").write_text(json.dumps(report, indent=1))
    print("\n".join(lines))
    print(f"written: {place}.md and {place}.json", file=sys.stderr)


if __name__ == "__main__":
    main()
