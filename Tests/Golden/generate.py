"""Writes the golden files beside this script from PyTorch: python Tests/Golden/generate.py

Deterministic: every case draws its numbers from a stream named after the case, and everything is computed in
float64 on one thread from inputs that are exact in float32.
"""

from pathlib import Path

import torch

from generators import (activations, convolutions, losses, network, normalisation, optimizers, pooling, rearranging,
                        schedules, sizes, zoo)
from generators.store import Store, write_json

FOLDER = Path(__file__).resolve().parent


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    files = {
        "operators": [convolutions, pooling, normalisation, activations, rearranging],
        "losses": [losses],
        "optimizers": [optimizers],
        "network": [network],
        "zoo": [zoo],
    }
    for name, modules in files.items():
        store = Store()
        for module in modules:
            module.add_cases(store)
        store.write(FOLDER, name)
    write_json(FOLDER / "schedules.json", schedules.cases())
    write_json(FOLDER / "sizes.json", sizes.cases())


if __name__ == "__main__":
    main()
