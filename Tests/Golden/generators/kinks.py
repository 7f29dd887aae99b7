"""How far a network's training step stays from where its gradient jumps: at the kinks of activations, and where two
values of a pooling window are equal."""

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

ACTIVATIONS = {"relu": (0.0,), "relu_": (0.0,), "hardswish": (-3.0, 3.0), "hardswish_": (-3.0, 3.0),
               "hardsigmoid": (-3.0, 3.0), "hardsigmoid_": (-3.0, 3.0)}


"""The distance from a kink where there is none."""
FAR = 1e6


class Recorder(TorchDispatchMode):
    """Keeps what enters activations with kinks and poolings."""

    def __init__(self):
        super().__init__()
        self.found = []  # (input, kinks) or (input, arguments of the pooling)

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.overloadpacket.__name__
        if name in ACTIVATIONS:
            self.found.append((arguments[0].clone(), ACTIVATIONS[name]))
        elif name in ("hardtanh", "hardtanh_"):
            self.found.append((arguments[0].clone(), (float(arguments[1]), float(arguments[2]))))
        elif name == "max_pool2d_with_indices":
            self.found.append((arguments[0].clone(), arguments[1:]))
        return function(*arguments, **(options or {}))


def pool_gaps(x, kernel, stride, padding=(0, 0), dilation=(1, 1), ceil=False):
    """By how much the largest value of each window exceeds the second; without exact ties, which are no matter of rounding:
    a channel that is off, and the one maximum that an earlier pooling gave to several of its windows."""
    output = F.max_pool2d(x, kernel, stride, padding, dilation, ceil)
    (kernel, stride), padding = (pair(kernel), pair(stride)), pair(padding)
    sizes = [max((count - 1) * step + window - side - length, 0) for count, step, window, side, length
             in zip(output.shape[2:], stride, kernel, padding, x.shape[2:])]
    padded = F.pad(x, (padding[1], sizes[1], padding[0], sizes[0]), value=-float("inf"))
    windows = padded.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
    windows = windows[:, :, : output.shape[2], : output.shape[3]].flatten(4)
    if windows.shape[-1] < 2:
        return output.new_zeros(0)
    top = windows.topk(2, dim=-1).values
    gaps = top[..., 0] - top[..., 1]
    return gaps[gaps > 0]


def pair(value):
    value = [value] if isinstance(value, int) else list(value)
    return value * 2 if len(value) == 1 else value


def recorded(network, images):
    network.train()
    with torch.no_grad(), Recorder() as recorder:
        network(images)
    return recorder.found


def distance(network, images, prepare):
    """The smallest distance from a kink, in root mean square errors of PyTorch's float32 in the tensor concerned.

    `prepare` gives the network its numbers, in whichever precision it has.
    """
    network.float()
    prepare(network, images)
    singles = recorded(network, images)
    network.double()
    prepare(network, images.double())
    exact = recorded(network, images.double())
    return min((nearest(x, single, places) for (single, _), (x, places) in zip(singles, exact, strict=True)), default=FAR)


def nearest(x, single, places):
    error = max(float((x - single).square().mean().sqrt()), 1e-30)
    if isinstance(places[0], float):
        return min(float((x - kink).abs().min()) for kink in places) / error
    gaps = pool_gaps(x, *places)
    return float(gaps.min()) / error if gaps.numel() else FAR
