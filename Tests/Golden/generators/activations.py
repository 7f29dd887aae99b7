"""Activations, softmax, and element-wise sums and products."""

import numpy
import torch
import torch.nn.functional as F

from .store import random_stream

# operator, attributes, function, the points where the derivative jumps
ACTIVATIONS = [
    ("relu", {}, F.relu, [0.0]),
    ("relu6", {}, F.relu6, [0.0, 6.0]),
    ("leaky_relu", dict(negative_slope=0.01), lambda x: F.leaky_relu(x, 0.01), [0.0]),
    ("leaky_relu", dict(negative_slope=0.2), lambda x: F.leaky_relu(x, 0.2), [0.0]),
    ("sigmoid", {}, torch.sigmoid, []),
    ("tanh", {}, torch.tanh, []),
    ("hard_swish", {}, F.hardswish, [-3.0, 3.0]),
    ("silu", {}, F.silu, []),
    ("hard_sigmoid", {}, F.hardsigmoid, [-3.0, 3.0]),
]
# Beyond where exp overflows and where functions saturate, and close to zero.
EXTREMES = [-100.0, -88.5, -30.0, -9.0, -1e-3, -1e-6, 1e-6, 1e-3, 9.0, 30.0, 88.5, 100.0]

# name, input, dimension, factor on the input
SOFTMAXES = [
    ("rank_2", (3, 7), 1, 1.0),
    ("last_of_rank_2", (2, 5), -1, 1.0),
    ("batch_axis", (4, 3), 0, 1.0),
    ("channels", (2, 5, 3, 4), 1, 1.0),
    ("rows", (2, 3, 5, 4), 2, 1.0),
    ("columns", (2, 3, 4, 5), 3, 1.0),
    ("one_class", (3, 1), 1, 1.0),
    ("large_logits", (3, 9), 1, 60.0),
    ("classes_100", (2, 100), 1, 2.0),
    ("channels_21", (1, 21, 3, 4), 1, 2.0),
]

# name, shape of the first, shape of the second
PAIRS = [
    ("equal", (2, 3, 4, 5), (2, 3, 4, 5)),
    ("equal_rank_2", (3, 7), (3, 7)),
    ("equal_channels_18", (2, 18, 3, 3), (2, 18, 3, 3)),
    ("per_map", (2, 5, 3, 4), (2, 5, 1, 1)),
    ("per_map_channels_20", (2, 20, 3, 4), (2, 20, 1, 1)),
    ("per_map_first", (2, 5, 1, 1), (2, 5, 3, 4)),
    ("per_channel", (2, 5, 3, 4), (1, 5, 1, 1)),
    ("per_pixel", (2, 5, 3, 4), (2, 1, 3, 4)),
    ("one_number", (2, 3, 4, 5), (1,)),
    ("lower_rank", (2, 3, 4, 5), (4, 5)),
    ("both_ways", (2, 1, 4, 1), (1, 3, 1, 5)),
    ("rank_2_row", (3, 7), (7,)),
]


def add_cases(store):
    for operator, attributes, function, kinks in ACTIVATIONS:
        add_activation(store, operator, attributes, function, kinks)
    for operator, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        for name, shape, dim, factor in SOFTMAXES:
            name = f"{operator}/{name}"
            values = random_stream(name + " input").standard_normal(shape) * factor
            store.differentiate(name, operator, dict(dim=dim), {"input": values}, lambda t: function(t["input"], dim))
    for operator, function in (("add", torch.add), ("multiply", torch.mul)):
        for name, first, second in PAIRS:
            store.differentiate(f"{operator}/{name}", operator, {}, {"input": first, "input2": second},
                                lambda t: function(t["input"], t["input2"]))


def add_activation(store, operator, attributes, function, kinks):
    suffix = "".join(f"_{value}" for value in attributes.values())
    inputs = {
        "maps": random_stream(operator).standard_normal((2, 3, 4, 5)) * 4,
        "channels_19": random_stream(operator + " blocked").standard_normal((1, 19, 3, 3)) * 4,
        "extremes": numpy.array([EXTREMES + kinks]),
    }
    for name, values in inputs.items():
        store.differentiate(f"{operator}/{name}{suffix}", operator, attributes, {"input": values},
                            lambda t: function(t["input"]))
