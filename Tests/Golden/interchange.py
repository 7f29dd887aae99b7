"""Files both ways between torchvision's networks and Sasuka's: python Tests/Golden/interchange.py [NAME ...]

For each network that both have, PyTorch saves (.pth, the format before PyTorch 1.6, .safetensors) and Sasuka loads; then
Sasuka saves (.pth, .safetensors, .npz) and torchvision loads with strict=True. Names, their order, shapes, types and values
must be equal. A line for each network; the exit status is 1 if anything differs. Needs `make library`.
"""

import functools
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))

import safetensors.torch

import sasuka
from generators import zoo

"""The registry's networks that torchvision does not have."""
ELSEWHERE = ("lenet5", "cifar_", "all_cnn_")


class Difference(Exception):
    pass


def numbers(place, like):
    """What the tensor at a place of the state dictionary is given: others for every place, the same whenever asked."""
    if not like.dtype.is_floating_point:
        return torch.full_like(like, place + 1)
    return torch.empty_like(like).uniform_(-1, 1, generator=torch.Generator().manual_seed(place))


def fill(network):
    for place, tensor in enumerate(network.state_dict().values()):
        tensor.copy_(numbers(place, tensor))


def clear(network):
    for tensor in network.state_dict().values():
        tensor.zero_()


def compare(found, network, ordered=True):
    """`found`: name -> tensor or array, against what `fill` gives the network."""
    expected = network.state_dict()
    if found.keys() != expected.keys():
        raise Difference(f"{', '.join(found.keys() ^ expected.keys())} stand on one side only")
    if ordered and list(found) != list(expected):
        place, pair = next((place, pair) for place, pair in enumerate(zip(found, expected)) if pair[0] != pair[1])
        raise Difference(f"name {place} is {pair[0]}, {pair[1]} is expected")
    for place, (name, like) in enumerate(expected.items()):
        tensor = torch.as_tensor(found[name])
        if (tensor.dtype, tensor.shape) != (like.dtype, like.shape):
            raise Difference(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, {like.dtype} {tuple(like.shape)} is expected")
        if not torch.equal(tensor, numbers(place, like)):
            raise Difference(f"{name} has other values")


def save_before_1_6(state, path):
    torch.save(state, path, _use_new_zipfile_serialization=False)


def load_npz(path):
    with numpy.load(path) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def load_pth(path):
    return torch.load(path, weights_only=True)


"""Format -> how PyTorch saves, and how it loads."""
SAVED_BY_PYTORCH = {"new.pth": torch.save, "old.pth": save_before_1_6, "st.safetensors": safetensors.torch.save_file}
LOADED_BY_PYTORCH = {"own.pth": load_pth, "own.safetensors": safetensors.torch.load_file, "own.npz": load_npz}


def load_strictly(network, state, name):
    """torchvision's MNASNet asks for the version of its layout, which only a pickled state dictionary can tell; PyTorch's
    own state, through safetensors, is refused too. Whoever loads such a file names the version: README.md says how."""
    if name.startswith("mnasnet") and not hasattr(state, "_metadata"):
        try:
            network.load_state_dict(state)
        except ValueError:
            state = OrderedDict(state)
            state._metadata = network.state_dict()._metadata
        else:
            raise Difference("torchvision takes files without a version by now: README.md need not explain it")
    network.load_state_dict(state, strict=True)


def check_metadata(state, network):
    """Versions as PyTorch's own file names them, at least those that loaders ask for: the network's and its norms'."""
    theirs, found = network.state_dict()._metadata, getattr(state, "_metadata", {})
    for module, entry in found.items():
        if entry != {"version": theirs[module]["version"]}:
            raise Difference(f"version of {module or 'the network'} is {entry}, {theirs[module]} is expected")
    norms = {name.rpartition(".")[0] for name in state if name.endswith(".running_mean")}
    if {"", *norms} - found.keys():
        raise Difference(f"no version of {', '.join({'', *norms} - found.keys())}")


def from_pytorch(network, ours, path, save):
    """The fill is made again for each file, since others clear the network."""
    fill(network)
    save(network.state_dict(), path)
    ours.initialize(seed=1)
    ours.load_weights(path, strict=True)
    compare(ours.state_dict(), network)


def to_pytorch(network, ours, path, load, name):
    """`ours` holds what `fill` gives: it has loaded it."""
    ours.save_weights(path)
    state = load(path)
    # A .safetensors file is sorted by size of element and name, whoever writes it.
    compare(state, network, ordered=path.suffix != ".safetensors")
    if path.suffix == ".pth":
        check_metadata(state, network)
    clear(network)
    load_strictly(network, state, name)
    compare(network.state_dict(), network)


def both_ways(models, name, folder):
    """Number of tensors; format -> what went wrong, or None."""
    network = zoo.build(models, name)
    if next(network.parameters()).is_meta:
        network.to_empty(device="cpu")
    ours = sasuka.create_model(name, seed=1)
    steps = {ending: functools.partial(from_pytorch, save=save) for ending, save in SAVED_BY_PYTORCH.items()}
    steps.update({ending: functools.partial(to_pytorch, load=load, name=name)
                  for ending, load in LOADED_BY_PYTORCH.items()})
    results = {}
    for ending, step in steps.items():
        try:
            step(network, ours, folder / ending)
            results[ending] = None
        except (Difference, sasuka.SasukaError, RuntimeError, ValueError) as reason:
            results[ending] = str(reason)
        (folder / ending).unlink(missing_ok=True)
    return len(network.state_dict()), results


def selected(models, given):
    shared = [name for name in sasuka.architectures() if not name.startswith(ELSEWHERE)]
    missing = set(zoo.names(models)) ^ set(shared)
    if missing:
        raise SystemExit(f"only one side has {', '.join(sorted(missing))}")
    if set(given) - set(shared):
        raise SystemExit(f"no network of both is named {', '.join(sorted(set(given) - set(shared)))}")
    return given or shared


def main():
    torch.set_num_threads(1)
    models, failed = zoo.torchvision_models(), 0
    names = selected(models, sys.argv[1:])
    formats = [*SAVED_BY_PYTORCH, *LOADED_BY_PYTORCH]
    print("| network | tensors | " + " | ".join(formats) + " |\n" + "|---" * (len(formats) + 2) + "|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            count, results = both_ways(models, name, Path(folder))
        print(f"| {name} | {count} | " + " | ".join(results[form] or "equal" for form in formats) + " |", flush=True)
        failed += any(results.values())
    print(f"{len(names) - failed} of {len(names)} networks: files go both ways")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    with torch.no_grad():
        main()
