"""What a network looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .errors import InvalidArgumentError
from .graph import Graph
from .model import Model, Session, class_seed
from .tensors import TensorLike, as_array


def grad_cam(
    model: Model,
    x: TensorLike,
    target: ArrayLike | None = None,
    module: str | None = None,
    *,
    size: Sequence[int] | None = None,
) -> np.ndarray:
    """Where the network sees a class: Grad-CAM (Selvaraju et al. 2017).

    Each feature map of `module` counts as much as the class's logit grows with it on average; the sum of the maps, where it
    is positive, is the heat map.

    Parameters
    ----------
    x : array_like or tensor
        [batch, channels, height, width].
    target : int, array_like of int or None
        The class, one for all or one for each sample; None: those that the network predicts.
    module : str, optional
        A module that computes feature maps, such as ``"layer4"`` of a ResNet; by default the last layer that does.
    size : (int, int), optional
        Height and width to which the heat map is scaled, bilinearly, such as the pictures'; by default the module's.

    Returns
    -------
    numpy.ndarray
        float32 [batch, height, width], 0 or more, in the unit of the logits.
    """
    pictures = as_array(x)
    module = last_maps(model, pictures.shape) if module is None else module
    with Session(model, features=[module], gradients=True) as session:
        logits = session(pictures)
        session.backward(class_seed(logits, target))
        maps, gradients = session.feature(module), session.feature_gradient(module)
    if maps.ndim != 4:
        raise ValueError(f"{module!r} computes {list(maps.shape)}; a module that computes feature maps is expected")
    heat: np.ndarray = np.maximum(np.einsum("nchw,nc->nhw", maps, gradients.mean(axis=(2, 3))), 0)
    if size is None:
        return heat
    graph = Graph((1, *heat.shape[1:]))
    with graph.model(graph.resize(graph.input, size=(size[0], size[1]))) as resize:
        scaled: np.ndarray = resize(heat[:, np.newaxis])[:, 0]
        return scaled


def last_maps(model: Model, input_shape: Sequence[int]) -> str:
    """The last module on the way to the result that computes maps of more than one pixel."""
    layers = model.layers(input_shape)
    makers = {reader: maker for maker, reader in sorted(model.connections())}
    number = len(layers) - 1
    while number >= 0 and math.prod(layers[number].output_shape[2:]) <= 1:
        number = makers[number]
    if number < 0:
        raise InvalidArgumentError("no module of the network computes feature maps, which Grad-CAM looks at")
    name = layers[number].name
    # A layer that computes several times, as a ReLU of a residual block does, is the last of its block then.
    return name if [layer.name for layer in layers].count(name) == 1 else name.rpartition(".")[0]
