"""Weights and pictures as functions of a name and an index, and digests of tensors: `SasukaTests/Zoo/Fill.swift` has the same."""

import re

import numpy
import torch
from torch import nn

"""Numbers that stay in a core's cache while they are computed."""
PIECE = 1 << 16

"""Batch normalisations whose output meets no activation before it is added to a shortcut (or to nothing)."""
WITHOUT_ACTIVATION = re.compile(r"(\.bn3|downsample\.1|proj\.1|f\.c\.1|conv\.\d+|layers\.7|block\.[23]\.1)$")


def hashed(name, count, start=0):
    """64 random bits for each index: SplitMix64 (Steele et al. 2014) of an FNV-1a hash of the name plus the index."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & (1 << 64) - 1
    x = numpy.arange(start + 1, start + count + 1, dtype=numpy.uint64)
    x *= numpy.uint64(0x9E3779B97F4A7C15)
    x += numpy.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x ^= x >> numpy.uint64(shift)
        x *= numpy.uint64(factor)
    return x ^ (x >> numpy.uint64(31))


def in_pieces(count):
    return ((start, min(PIECE, count - start)) for start in range(0, count, PIECE))


def uniform(name, shape, low, high):
    """float32 numbers in [low, high), with the rounding that the other side has too."""
    result = numpy.empty(int(numpy.prod(shape, dtype=numpy.int64)), numpy.float32)
    for start, count in in_pieces(result.size):
        unit = (hashed(name, count, start) >> numpy.uint64(40)).astype(numpy.float32) * numpy.float32(2.0**-24)
        result[start : start + count] = numpy.float32(low) + numpy.float32(high - low) * unit
    return result.reshape(shape)


def digest(name, tensor, signs):
    """Norm, then sums with random signs: 64 of them are the bits of one hash."""
    flat = tensor.detach().reshape(-1).numpy()
    sums = numpy.zeros(1 + signs)
    for start, count in in_pieces(flat.size):
        piece = flat[start : start + count].astype(numpy.float64)
        sums[0] += numpy.dot(piece, piece)
        for sign in range(signs):
            words = hashed(f"sign{sign}.{name}", -(-count // 64), start // 64)
            bits = numpy.unpackbits(words.astype("<u8").view(numpy.uint8), bitorder="little")[:count]
            sums[1 + sign] += piece.sum() - 2 * numpy.dot(piece, bits.astype(numpy.float64))
    sums[0] **= 0.5
    return sums


def value(name, shape, module, meets_no_activation):
    """Shifts of batch normalisation are several times as large as what they shift, so that in training few ReLUs come near
    their kink, where float32 may fall on the other side and the gradient jumps. Further where a channel is off: one with
    a few traces left would be blown up by the normalisation behind a depthwise convolution. A quarter of them is off: with more, whole layers of the
    smallest networks would be. A channel of a residual
    stream is on in all blocks or in none, since a sum of several shifts could be anywhere. In evaluation mode the
    variances make up for the small scales, so that a picture's traces do not fade from layer to layer."""
    if not isinstance(module, nn.BatchNorm2d):
        bound = float(numpy.float32(numpy.sqrt(6.0 / numpy.prod(shape[1:])))) if len(shape) > 1 else 0.25
        return uniform(name, shape, -bound, bound)
    if name.endswith("running_mean"):
        return uniform(name, shape, -0.5, 0.5)
    if name.endswith("running_var"):
        return uniform(name, shape, *((0.08, 0.24) if meets_no_activation else (0.01, 0.05)))
    if name.endswith("weight"):
        return uniform(name, shape, 0.1, 0.25)
    side = uniform("residual stream" if meets_no_activation else "side." + name, shape, -1.0, 1.0)
    size = uniform(name, shape, 0.75, 1.25)
    return numpy.where(side < -0.5, -(size + numpy.float32(0.5)), size)


def state(network):
    """(name, tensor, what fill gives it) of parameters and statistics."""
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        owner = name.rpartition(".")[0]
        stream = WITHOUT_ACTIVATION.search(owner) or (owner.endswith(".bn2") and f"{owner[:-1]}3" not in modules(network))
        yield name, tensor, torch.from_numpy(value(name, tuple(tensor.shape), network.get_submodule(owner), bool(stream)))


def modules(network):
    return dict(network.named_modules())


def fill(network):
    with torch.no_grad():
        for _, tensor, numbers in state(network):
            tensor.copy_(numbers)
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.zero_()
