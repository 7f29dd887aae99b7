"""Losses: the value and the gradient of the logits."""

import numpy
import torch
import torch.nn.functional as F

from .store import as_float64, random_stream

# name, logits [batch, classes, ...], what differs from the defaults; `ignored`: how many targets get ignore_index
CROSS_ENTROPIES = [
    ("plain", (5, 7), {}),
    ("batch_1", (1, 4), {}),
    ("sum", (5, 7), dict(reduction="sum")),
    ("large_logits", (4, 6), dict(factor=50.0)),
    ("classes_100", (3, 100), {}),
    ("label_smoothing", (5, 7), dict(label_smoothing=0.1)),
    ("label_smoothing_sum", (3, 4), dict(label_smoothing=0.3, reduction="sum")),
    ("class_weights", (6, 5), dict(weights=True)),
    ("class_weights_sum", (6, 5), dict(weights=True, reduction="sum")),
    ("ignore_index", (6, 5), dict(ignored=2)),
    ("ignore_index_is_a_class", (6, 5), dict(ignored=3, ignore_index=2)),
    ("smoothing_weights", (6, 5), dict(label_smoothing=0.2, weights=True)),
    ("smoothing_weights_ignore", (7, 5), dict(label_smoothing=0.2, weights=True, ignored=3)),
    ("spatial", (2, 4, 3, 5), {}),
    ("spatial_channels_21_weights_ignore", (2, 21, 3, 2), dict(weights=True, ignored=4)),
    ("spatial_smoothing", (1, 5, 4, 3), dict(label_smoothing=0.1)),
    ("probabilities", (5, 7), dict(probabilities=True)),
    ("probabilities_large_logits", (4, 6), dict(probabilities=True, factor=50.0)),
    ("probabilities_smoothing_weights", (6, 5), dict(probabilities=True, label_smoothing=0.2, weights=True)),
    ("probabilities_spatial_smoothing_weights", (2, 4, 3, 5), dict(probabilities=True, label_smoothing=0.1, weights=True)),
]

# name, shape, reduction, factor on the logits
PAIRED = [
    ("rank_1", (7,), "mean", 1.0), ("rank_2", (4, 3), "mean", 1.0), ("maps", (2, 3, 4, 5), "mean", 1.0),
    ("sum", (4, 3), "sum", 1.0), ("large", (3, 4), "mean", 60.0),
]


def add_cases(store):
    for case in CROSS_ENTROPIES:
        add_cross_entropy(store, *case)
    for name, shape, reduction, factor in PAIRED:
        stream = random_stream("mse" + name)
        logits, target = stream.standard_normal(shape) * factor, stream.standard_normal(shape)
        add(store, f"mean_squared_error/{name}", "mean_squared_error", dict(reduction=reduction), logits,
            dict(target=target), lambda x, t: F.mse_loss(x, t["target"], reduction=reduction))
    for name, shape, reduction, factor in PAIRED:
        stream = random_stream("bce" + name)
        logits, target = stream.standard_normal(shape) * factor, stream.uniform(0, 1, shape).round(2)
        target.flat[0], target.flat[1] = 0, 1
        add(store, f"binary_cross_entropy_with_logits/{name}", "binary_cross_entropy_with_logits",
            dict(reduction=reduction), logits, dict(target=target),
            lambda x, t: F.binary_cross_entropy_with_logits(x, t["target"], reduction=reduction))


def add_cross_entropy(store, name, shape, options):
    attributes = dict(reduction="mean", label_smoothing=0.0, ignore_index=-100)
    attributes.update({key: value for key, value in options.items() if key in attributes})
    stream, classes = random_stream("cross_entropy" + name), shape[1]
    logits = stream.standard_normal(shape) * options.get("factor", 1.0)
    target = stream.randint(0, classes, (shape[0], *shape[2:])).astype(numpy.int32)
    target.flat[:options.get("ignored", 0)] = attributes["ignore_index"]
    if options.get("probabilities"):
        # Their sums differ from 1, and some are 0, as in mixup.
        target = numpy.maximum(stream.uniform(-0.2, 0.6, shape), 0).round(3)
    constants = dict(target=target)
    if options.get("weights"):
        constants["weight"] = stream.uniform(0.2, 2.0, classes)
    add(store, f"cross_entropy/{name}", "cross_entropy", attributes, logits, constants,
        lambda x, t: F.cross_entropy(x, as_target(t["target"]), t.get("weight"), **attributes))


def as_target(target):
    """PyTorch's: classes are int64, probabilities floats."""
    return target if target.is_floating_point() else target.long()


def add(store, name, operator, attributes, logits, constants, function):
    x = as_float64(logits, requires_grad=True)
    tensors = {key: torch.from_numpy(value) if value.dtype == numpy.int32 else as_float64(value)
               for key, value in constants.items()}
    loss = function(x, tensors)
    (gradient,) = torch.autograd.grad(loss, x)
    store.add(name, operator, attributes, {"input": x, **tensors, "output": loss, "grad_input": gradient})
