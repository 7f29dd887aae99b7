"""Vanishing gradients, measured: the gradient's norm of every convolution of a 56-layer network with and without shortcuts.

The plain network is the residual one without its shortcuts, at the same first weights. With normalisation its gradients grow
towards the input, layer by layer (Yang et al. 2019, A Mean Field Theory of Batch Normalization); without it, and with first
weights as people drew them before He et al. 2015, they vanish (Glorot and Bengio 2010).
"""

from __future__ import annotations

import argparse

import numpy as np
from common import fashion_mnist, parser, show

import sasuka


def norms(model: sasuka.Model, pictures: np.ndarray, classes: np.ndarray) -> tuple[float, dict[str, float]]:
    """The loss of a batch, and the gradient's norm of each convolution's weight over that of the weight."""
    weights = model.state_dict()
    with sasuka.Trainer(model) as trainer:
        trainer.zero_gradients()
        loss = trainer.forward_backward(pictures, classes)
        found = trainer.gradients()
        return loss, {
            # In float64: the squares of vanished gradients are below what float32 holds.
            name.removesuffix(".weight"): float(np.linalg.norm(found[name].astype(float)) / np.linalg.norm(weights[name]))
            for name in found
            if weights[name].ndim == 4 and "downsample" not in name
        }


def without_normalisation(model: sasuka.Model) -> sasuka.Model:
    """All normalisations passed over, their inputs passed on."""
    return model.ablate([layer.name for layer in model.layers() if layer.kind == "batch_norm"])


def main() -> None:
    arguments: argparse.Namespace = parser(__doc__, pictures=64, epochs=0).parse_args()
    (pictures, classes), _ = fashion_mnist(arguments)
    residual = sasuka.create_model("cifar_resnet56", in_channels=1, seed=0, threads=arguments.threads)
    plain = residual.ablate("", "shortcut")
    small = without_normalisation(plain)
    # PyTorch's own first weights, uniform within 1 / sqrt(fan in), have a sixth of He's variance: signals die on their way.
    for name, shape, _ in small.parameters():
        if len(shape) == 4:
            small.initialize(name, "kaiming_uniform", 3**-0.5)
    cases = {
        "residual": residual, "plain": plain, "residual, no norm": without_normalisation(residual),
        "plain, no norm": without_normalisation(plain), "plain, no norm, small": small,
    }
    found = {title: norms(model, pictures, classes) for title, model in cases.items()}
    names = list(found["residual"][1])
    rows: list[tuple[object, ...]] = []
    for place in range(0, len(names), 6):
        rows.append((names[place], *(f"{part[names[place]]:.2e}" for _, part in found.values())))
    ends = [(part[names[0]], part[names[-1]]) for _, part in found.values()]
    rows.append(("first / last", *(f"{first / last:.1e}" if last else "-" for first, last in ends)))
    rows.append(("loss", *(f"{loss:.3f}" for loss, _ in found.values())))
    show(("gradient / weight", *found), rows)


if __name__ == "__main__":
    main()
