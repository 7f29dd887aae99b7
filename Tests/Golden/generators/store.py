"""Collects cases and writes them as NAME.json (what) and NAME.bin (the numbers, little-endian)."""

import json
import zlib
from collections import Counter

import numpy
import torch


def random_stream(name):
    """The frozen Mersenne Twister stream of a case: other cases may come and go without changing this one."""
    return numpy.random.RandomState(zlib.crc32(name.encode()))


def as_float64(array, requires_grad=False):
    return torch.tensor(numpy.asarray(array, dtype=numpy.float32).astype(numpy.float64), requires_grad=requires_grad)


class Store:
    def __init__(self):
        self.cases = []
        self.blob = bytearray()

    def add(self, name, operator, attributes, tensors):
        """`tensors`: name -> array; integers become int32, everything else float32."""
        if any(case["name"] == name for case in self.cases):
            raise ValueError(f"two cases are named {name}")
        entries = [self._append(tensor_name, tensor) for tensor_name, tensor in tensors.items()]
        self.cases.append({"name": name, "operator": operator, "attributes": attributes, "tensors": entries})

    def differentiate(self, name, operator, attributes, inputs, function, extra=None, constants=None):
        """Adds a case of a differentiable function.

        `inputs`: name -> shape (drawn from a normal distribution) or array. Each gets a `grad_NAME`.
        `constants`: name -> array, stored and handed to the function, without a gradient.
        `function`: float64 tensors by name -> output.
        `extra`: called after the function; name -> array to store as well.
        """
        stream = random_stream(name)
        arrays = {}
        for key, value in inputs.items():
            drawn = stream.standard_normal(value) if isinstance(value, (tuple, list)) else value
            arrays[key] = numpy.asarray(drawn, dtype=numpy.float32)
        leaves = {key: as_float64(value, requires_grad=True) for key, value in arrays.items()}
        fixed = {key: as_float64(value) for key, value in (constants or {}).items()}
        output = function({**leaves, **fixed})
        tensors = {**arrays, **(constants or {}), "output": output}
        grad_output = stream.standard_normal(tuple(output.shape)).astype(numpy.float32)
        gradients = torch.autograd.grad(output, list(leaves.values()), as_float64(grad_output))
        tensors["grad_output"] = grad_output
        tensors.update({f"grad_{key}": gradient for key, gradient in zip(leaves, gradients)})
        tensors.update(extra() if extra else {})
        self.add(name, operator, attributes, tensors)

    def write(self, folder, name):
        (folder / f"{name}.bin").write_bytes(self.blob)
        write_json(folder / f"{name}.json", self.cases)
        size = len(self.blob) + (folder / f"{name}.json").stat().st_size
        counts = Counter(case["operator"] for case in self.cases)
        print(f"{name}: {len(self.cases)} cases, {size} bytes")
        print("  " + ", ".join(f"{operator} {count}" for operator, count in counts.items()))

    def _append(self, name, tensor):
        """Its numbers go to the end of the blob, so that the JSON needs no offsets."""
        array = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else numpy.asarray(tensor)
        dtype = "int32" if array.dtype.kind in "iub" else "float32"
        if dtype == "float32" and not numpy.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
        self.blob += numpy.ascontiguousarray(array).astype("<i4" if dtype == "int32" else "<f4").tobytes()
        return [name, *(["int32"] if dtype == "int32" else []), *array.shape]


def write_json(path, cases):
    """One case a line: a change in one case is a change of one line."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f"[\n{lines}\n]\n")
