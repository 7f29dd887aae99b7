"""What each residual block of a trained network is good for: its accuracy without it.

A ResNet-20 is trained on Fashion-MNIST; then each block's branch is taken away in turn, then several at once, then
shortcuts. Veit, Wilber and Belongie 2016 (Residual Networks Behave Like Ensembles of Relatively Shallow Networks) found that
in 110 layers one block more or less hardly matters, but for those that change the size; in 20 layers each has more to do.
"""

from __future__ import annotations

import numpy as np
from common import accuracy, fashion_mnist, learnt, parser, show, train

import sasuka


def main() -> None:
    arguments = parser(__doc__, pictures=12_000, epochs=3).parse_args()
    data, tests = fashion_mnist(arguments)
    model = sasuka.create_model("cifar_resnet20", in_channels=1, seed=0, threads=arguments.threads)
    seconds = train(model, data, arguments.epochs, threads=arguments.threads)
    whole = accuracy(model, tests)
    print(f"{len(data[0])} pictures, {arguments.epochs} epochs, {seconds:.0f} s")
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]
    cases = [("nothing", [], "bypass")] + [(block, [block], "bypass") for block in blocks]
    inner = [block for block in blocks if not block.endswith(".0")]
    order = np.random.default_rng(0).permutation(len(inner))
    for count in (2, 3, 4, 6):
        cases.append((f"{count} identity blocks", [inner[place] for place in order[:count]], "bypass"))
    cases += [(f"the shortcut of {block}", [block], "shortcut") for block in ("layer1.1", "layer2.0", "layer3.2")]
    cases.append(("all shortcuts", [""], "shortcut"))
    rows = []
    for title, modules, kind in cases:
        changed = model.ablate(modules, kind) if modules else model
        share = accuracy(changed, tests)
        rows.append((title, f"{learnt(changed):,}", f"{100 * share:.2f} %", f"{100 * (share - whole):+.2f}"))
    show(("taken away", "parameters", "accuracy", "points"), rows)


if __name__ == "__main__":
    main()
