"""Where a network's parameters and its arithmetic sit, and what its layers see of the picture.

Usage: layer_table.py [ARCHITECTURE [SIZE]]; vgg16 at its own size unless told otherwise.
"""

from __future__ import annotations

import sys

from common import show

import sasuka


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "vgg16"
    model = sasuka.create_model(name)
    shape = (1, 3, int(sys.argv[2]), int(sys.argv[2])) if len(sys.argv) > 2 else None
    print(model.summary(shape))
    layers = [layer for layer in model.layers(shape) if layer.parameters]
    parameters, work = sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)
    rows = []
    for layer in sorted(layers, key=lambda layer: -layer.parameters)[:8]:
        shares = (f"{100 * layer.parameters / parameters:.1f} %", f"{100 * layer.multiply_adds / work:.1f} %")
        rows.append((layer.name, f"{layer.parameters:,}", *shares))
    show(("largest layers", "parameters", "of all", "of the arithmetic"), rows)


if __name__ == "__main__":
    main()
