"""Ten steps of every optimiser over given gradients, and gradient clipping."""

import torch

from .store import as_float64, random_stream

STEPS = 10
SHAPES = {"weight": (3, 5), "bias": (7,)}

# operator, name, attributes (PyTorch's names and defaults, spelled out)
SGD = dict(lr=0.1, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False)
ADAM = dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.0)
ADAMW = {**ADAM, "weight_decay": 0.01}
RMSPROP = dict(lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False)
CASES = [
    ("sgd", "plain", SGD),
    ("sgd", "weight_decay", {**SGD, "weight_decay": 0.05}),
    ("sgd", "momentum", {**SGD, "momentum": 0.9}),
    ("sgd", "momentum_weight_decay", {**SGD, "momentum": 0.9, "weight_decay": 0.01}),
    ("sgd", "dampening", {**SGD, "momentum": 0.8, "dampening": 0.3}),
    ("sgd", "nesterov", {**SGD, "momentum": 0.9, "nesterov": True}),
    ("sgd", "nesterov_weight_decay", {**SGD, "momentum": 0.7, "nesterov": True, "weight_decay": 0.02}),
    ("adam", "plain", ADAM),
    ("adam", "weight_decay", {**ADAM, "weight_decay": 0.1}),
    ("adam", "betas_eps", {**ADAM, "betas": [0.8, 0.95], "eps": 1e-3}),
    ("adamw", "plain", ADAMW),
    ("adamw", "no_decay", {**ADAMW, "weight_decay": 0.0}),
    ("adamw", "strong_decay", {**ADAMW, "lr": 0.05, "weight_decay": 0.5}),
    ("rmsprop", "plain", RMSPROP),
    ("rmsprop", "alpha", {**RMSPROP, "alpha": 0.9, "eps": 1e-3}),
    ("rmsprop", "momentum", {**RMSPROP, "momentum": 0.9}),
    ("rmsprop", "centered", {**RMSPROP, "centered": True}),
    ("rmsprop", "centered_momentum_weight_decay", {**RMSPROP, "alpha": 0.9, "centered": True, "momentum": 0.5,
                                                   "weight_decay": 0.05}),
]
CLASSES = dict(sgd=torch.optim.SGD, adam=torch.optim.Adam, adamw=torch.optim.AdamW, rmsprop=torch.optim.RMSprop)


def add_cases(store):
    for operator, name, attributes in CASES:
        add_steps(store, operator, f"{operator}/{name}", attributes)
    for max_norm in (0.5, 3.0, 1000.0):
        add_clipping(store, "clip_norm", max_norm, torch.nn.utils.clip_grad_norm_)
    for limit in (0.1, 1.0):
        add_clipping(store, "clip_value", limit, torch.nn.utils.clip_grad_value_)


def add_steps(store, operator, name, attributes):
    stream = random_stream(name)
    parameters = {key: as_float64(stream.standard_normal(shape), requires_grad=True) for key, shape in SHAPES.items()}
    gradients = {key: as_float64(stream.standard_normal((STEPS, *shape))) for key, shape in SHAPES.items()}
    tensors = {key: value.detach().clone() for key, value in parameters.items()}
    optimizer = CLASSES[operator](parameters.values(), **attributes)
    values = {key: [] for key in SHAPES}
    for step in range(STEPS):
        for key, parameter in parameters.items():
            parameter.grad = gradients[key][step].clone()
        optimizer.step()
        for key, parameter in parameters.items():
            values[key].append(parameter.detach().clone())
    tensors.update({f"{key}_gradients": value for key, value in gradients.items()})
    tensors.update({f"{key}_values": torch.stack(value) for key, value in values.items()})
    store.add(name, operator, attributes, tensors)


def add_clipping(store, operator, limit, clip):
    name = f"{operator}/{limit:g}"
    stream = random_stream(name)
    parameters = {key: torch.zeros(shape, dtype=torch.float64) for key, shape in SHAPES.items()}
    tensors = {}
    for key, parameter in parameters.items():
        parameter.grad = as_float64(stream.standard_normal(parameter.shape))
        tensors[f"{key}_gradient"] = parameter.grad.clone()
    norm = clip(parameters.values(), limit)
    tensors.update({f"{key}_gradient_after": value.grad for key, value in parameters.items()})
    if norm is not None:
        tensors["total_norm"] = norm
    store.add(name, operator, {"max_norm" if norm is not None else "clip_value": limit}, tensors)
