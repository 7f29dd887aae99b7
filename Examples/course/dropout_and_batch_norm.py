"""What dropout and batch normalisation do in training, and what is left of them in evaluation, on Fashion-MNIST.

Neighbours in a feature map know of each other: where one value is dropped, those beside it still tell it, and an average over
a window hardly notices (Tompson et al. 2015, Efficient Object Localization). Dropout2d takes whole maps away. Batch
normalisation makes each channel's mean 0 and deviation 1 over batch, height and width; what it knows in evaluation are running
averages of these (Ioffe and Szegedy 2015), and where it follows a convolution it becomes a part of it.
"""

from __future__ import annotations

import numpy as np
from common import fashion_mnist, parser, show

import sasuka
from sasuka import nn


def neighbours(maps: np.ndarray) -> float:
    """The correlation of a value and the one to its right, over all maps [batch, channels, height, width]."""
    left, right = maps[..., :-1].ravel(), maps[..., 1:].ravel()
    return float(np.corrcoef(left, right)[0, 1])


def noise(model: sasuka.Model, pictures: np.ndarray, runs: int = 20) -> float:
    """How much results scatter from run to run, as a share of their size."""
    results = np.stack([model(pictures) for _ in range(runs)])
    return float(np.sqrt(results.var(axis=0).mean() / (results.mean(axis=0) ** 2).mean()))


def dropped(layer: nn.Module, side: int, pictures: np.ndarray, threads: int) -> sasuka.Model:
    """Averages over side x side values behind a dropout of feature maps."""
    layers = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), layer, nn.AvgPool2d(side)
    return nn.Sequential(*layers).model(pictures.shape[1:], seed=1, threads=threads)


def main() -> None:
    arguments = parser(__doc__, pictures=256, epochs=0).parse_args()
    (pictures, _), _ = fashion_mnist(arguments)
    rows = []
    for title, layer in [("Dropout", nn.Dropout(0.5)), ("Dropout2d", nn.Dropout2d(0.5))]:
        found = [noise(dropped(layer, side, pictures, arguments.threads).train(), pictures) for side in (1, 4, 7)]
        rows.append((title, *(f"{100 * share:.0f} %" for share in found)))
    maps = dropped(nn.Identity(), 1, pictures, arguments.threads).extract_features(pictures, ["1"])["1"]
    print(f"neighbours in the maps of real pictures correlate with {neighbours(maps):.2f}")
    show(("scatter with p = 0.5", "of single values", "of averages of 4 x 4", "of 7 x 7"), rows)
    print()

    layers = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16)
    model = nn.Sequential(*layers).model(pictures.shape[1:], seed=1, threads=arguments.threads)
    trained = model.train()(pictures)
    rows = [("training", f"{np.abs(trained.mean(axis=(0, 2, 3))).max():.3f}", f"{trained.std(axis=(0, 2, 3)).min():.3f}",
             f"{trained.std(axis=(0, 2, 3)).max():.3f}", "-")]
    for passes in (1, 10, 100):
        while int(model.state_dict()["1.num_batches_tracked"]) < passes:
            model.train()(pictures)
        result = model.eval()(pictures)
        deviations = result.std(axis=(0, 2, 3))
        difference = np.abs(result - trained).max() / np.abs(trained).max()
        rows.append((f"evaluation after {passes}", f"{np.abs(result.mean(axis=(0, 2, 3))).max():.3f}",
                     f"{deviations.min():.3f}", f"{deviations.max():.3f}", f"{100 * difference:.2f} %"))
    show(("batch norm", "largest mean", "least deviation", "largest", "from training"), rows)
    kinds = sorted({row.kind for row in model.profile(pictures, runs=1) if row.node >= 0})
    print(f"computed in evaluation: {', '.join(kinds)}")


if __name__ == "__main__":
    main()
