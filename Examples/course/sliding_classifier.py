"""VGG's fully connected layers as convolutions: one run over a larger picture instead of one for each crop.

A network without padding gives the crops' scores exactly. VGG pads every convolution with zeros, so that a crop's features
are others near its border than those of the same place in a larger picture: its scores are exactly those of the classifier
over windows of the features, and differ from those of separate crops by what the zeros do, with weights that are not trained
a lot. Usage: sliding_classifier.py [ARCHITECTURE]; vgg11 unless told otherwise.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from common import show

import sasuka


def unpadded() -> sasuka.Model:
    """A small network as VGG, without padding, for pictures of 46 x 46."""
    graph = sasuka.Graph((3, 46, 46))
    x = graph.input
    for stage, channels in enumerate((16, 32, 64)):
        x = graph.activation(graph.conv2d(x, f"features.{3 * stage}", channels, 3), "relu")
        x = graph.max_pool2d(x, 2)
    x = graph.activation(graph.linear(graph.flatten(x), "classifier.0", 128), "relu")
    return graph.model(graph.linear(x, "classifier.2", 10), seed=1)


def compare(model: sasuka.Model, crop: int, size: int, step: int) -> tuple[float, float, float, tuple[int, ...]]:
    """Seconds of one run and of all crops, the largest difference of their scores, and the map's shape."""
    picture = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    slides = model.make_convolutional()
    # Compiling comes before timing.
    slides(picture), model(picture[:, :, :crop, :crop])
    start = time.perf_counter()
    scores = slides(picture)
    once = time.perf_counter() - start
    start, crops = time.perf_counter(), np.empty_like(scores)
    for row in range(scores.shape[2]):
        for column in range(scores.shape[3]):
            top, left = step * row, step * column
            crops[:, :, row, column] = model(picture[:, :, top : top + crop, left : left + crop])
    each = time.perf_counter() - start
    return once, each, float(np.abs(scores - crops).max() / np.abs(crops).max()), scores.shape


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "vgg11"
    rows = []
    for title, model, crop, size, step in [
        ("without padding", unpadded(), 46, 94, 8), (name, sasuka.create_model(name, num_classes=10, seed=1), 224, 352, 32)
    ]:
        once, each, difference, shape = compare(model, crop, size, step)
        rows.append((title, f"{shape[2]} x {shape[3]}", f"{1000 * once:.0f} ms", f"{1000 * each:.0f} ms", f"{difference:.1e}"))
    show(("network", "scores", "one run", "all crops", "largest difference"), rows)


if __name__ == "__main__":
    main()
