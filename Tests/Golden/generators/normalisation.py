"""Batch, group and local response normalisation and the three dropouts."""

import numpy
import torch
import torch.nn.functional as F

from .store import as_float64, random_stream

# name, input, what differs from the defaults
BATCH_NORMS = [
    ("training", (3, 4, 3, 5), {}),
    ("evaluation", (3, 4, 3, 5), dict(training=False)),
    ("training_no_affine", (2, 3, 4, 3), dict(affine=False)),
    ("evaluation_no_affine", (2, 3, 4, 3), dict(affine=False, training=False)),
    ("training_cumulative_first", (2, 3, 3, 4), dict(momentum=None)),
    ("training_cumulative_fourth", (2, 3, 3, 4), dict(momentum=None, num_batches_tracked=3)),
    ("training_momentum_0.3_eps_0.001", (2, 5, 3, 3), dict(momentum=0.3, eps=0.001)),
    ("training_momentum_1", (2, 2, 3, 3), dict(momentum=1.0)),
    ("training_batch_1", (1, 3, 4, 5), {}),
    ("training_one_channel", (4, 1, 3, 3), {}),
    ("training_one_pixel", (5, 6, 1, 1), {}),
    ("training_channels_17", (2, 17, 4, 5), {}),
    ("training_channels_33", (3, 33, 2, 3), {}),
    ("training_channels_20_no_affine", (2, 20, 3, 3), dict(affine=False, momentum=None, num_batches_tracked=1)),
    ("evaluation_channels_35", (2, 35, 3, 2), dict(training=False, eps=0.001)),
    # Far from zero: a variance from sums of squares would lose its digits here.
    ("training_mean_100", (2, 3, 5, 4), dict(offset=100.0)),
]

# name, input, groups, affine
GROUP_NORMS = [
    ("two_groups", (2, 6, 2, 3), 2, True),
    ("one_group_no_affine", (2, 3, 2, 2), 1, False),
    ("groups_across_lanes", (1, 34, 1, 2), 2, True),
]

# name, input, size, alpha, beta, k
LOCAL_RESPONSE_NORMS = [
    ("alexnet", (1, 7, 3, 4), 5, 1e-4, 0.75, 2.0),
    ("strong", (2, 6, 3, 3), 5, 1.0, 0.75, 1.0),
    ("even_size", (1, 5, 2, 3), 4, 0.5, 0.5, 1.0),
    ("size_1", (1, 3, 2, 2), 1, 0.5, 0.75, 1.0),
    ("size_larger_than_channels", (1, 2, 3, 3), 7, 0.7, 0.75, 2.0),
    ("channels_19", (1, 19, 3, 4), 5, 1.0, 0.75, 1.0),
    ("many_pixels", (2, 3, 11, 13), 3, 0.5, 0.75, 1.0),
    ("fourth_root", (1, 5, 3, 3), 3, 0.5, 0.25, 1.0),
    ("one_and_three_quarters", (1, 5, 3, 3), 3, 0.5, 1.75, 1.0),
    ("square", (1, 5, 3, 3), 3, 0.5, 2.0, 1.0),
    ("any_power", (1, 5, 3, 3), 3, 0.5, 0.6, 1.0),
    ("negative_power", (1, 5, 3, 3), 3, 0.5, -0.5, 1.0),
]

# operator, name, input, probability of dropping
DROPOUTS = [
    ("dropout", "half", (3, 20), 0.5),
    ("dropout", "fifth_of_maps", (2, 3, 4, 5), 0.2),
    ("dropout2d", "third", (3, 18, 2, 3), 0.3),
    ("alpha_dropout", "half", (3, 20), 0.5),
    ("alpha_dropout", "tenth", (2, 3, 4, 5), 0.1),
]


def add_cases(store):
    for case in BATCH_NORMS:
        add_batch_norm(store, *case)
    for case in GROUP_NORMS:
        add_group_norm(store, *case)
    for name, shape, size, alpha, beta, k in LOCAL_RESPONSE_NORMS:
        store.differentiate(f"local_response_norm/{name}", "local_response_norm",
                            dict(size=size, alpha=alpha, beta=beta, k=k), {"input": shape},
                            lambda t: F.local_response_norm(t["input"], size, alpha, beta, k))
    for case in DROPOUTS:
        add_dropout(store, *case)


def add_batch_norm(store, name, shape, options):
    attributes = dict(num_features=shape[1], eps=1e-5, momentum=0.1, affine=True, training=True, num_batches_tracked=0)
    attributes.update(options)
    offset = attributes.pop("offset", 0.0)
    name, channels = f"batch_norm/{name}", shape[1]
    stream = random_stream(name + " statistics")
    module = torch.nn.BatchNorm2d(channels, attributes["eps"], attributes["momentum"], attributes["affine"]).double()
    module.train(attributes["training"])
    constants = {
        "running_mean": stream.uniform(-0.5, 0.5, channels).astype(numpy.float32),
        "running_var": stream.uniform(0.5, 1.5, channels).astype(numpy.float32),
    }
    inputs = {"input": (stream.standard_normal(shape) + offset).astype(numpy.float32)}
    if attributes["affine"]:
        inputs["weight"] = stream.uniform(0.5, 1.5, channels)
        inputs["bias"] = stream.uniform(-0.5, 0.5, channels)
    module.num_batches_tracked.fill_(attributes["num_batches_tracked"])

    def function(t):
        buffers = dict(running_mean=t["running_mean"].clone(), running_var=t["running_var"].clone())
        for key, value in buffers.items():
            getattr(module, key).copy_(value)
        parameters = {key: t[key] for key in ("weight", "bias") if key in t}
        return torch.func.functional_call(module, parameters, (t["input"],))

    def statistics_after():
        if not attributes["training"]:
            return {}
        return dict(running_mean_after=module.running_mean, running_var_after=module.running_var,
                    num_batches_tracked_after=module.num_batches_tracked)

    store.differentiate(name, "batch_norm", attributes, inputs, function, statistics_after, constants)


def add_group_norm(store, name, shape, groups, affine):
    name = f"group_norm/{name}"
    stream = random_stream(name + " parameters")
    inputs = {"input": shape}
    if affine:
        inputs["weight"] = stream.uniform(0.5, 1.5, shape[1])
        inputs["bias"] = stream.uniform(-0.5, 0.5, shape[1])
    store.differentiate(name, "group_norm", dict(num_groups=groups, eps=1e-5, affine=affine), inputs,
                        lambda t: F.group_norm(t["input"], groups, t.get("weight"), t.get("bias"), 1e-5))


def add_dropout(store, operator, name, shape, p):
    """The mask is PyTorch's own draw, stored: 1 keeps. For dropout2d it has one entry per feature map."""
    name = f"{operator}/{name}"
    draw = dict(dropout=F.dropout, dropout2d=F.dropout2d, alpha_dropout=F.alpha_dropout)[operator]
    x = as_float64(random_stream(name).standard_normal(shape), requires_grad=True)
    torch.manual_seed(1)
    output = draw(x, p, True)
    grad_output = random_stream(name + " gradient").standard_normal(shape).astype(numpy.float32)
    (gradient,) = torch.autograd.grad(output, x, as_float64(grad_output))
    keep = (gradient != 0).to(torch.int32)
    mask = keep[:, :, 0, 0] if operator == "dropout2d" else keep
    store.add(name, operator, dict(p=p, training=True),
              dict(input=x, mask=mask, output=output, grad_output=grad_output, grad_input=gradient))
