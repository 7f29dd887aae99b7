"""What a network looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .graph import Graph
from .model import Model, Session, class_seed
from .tensors import TensorLike


def grad_cam(
    model: Model, x: TensorLike, target: ArrayLike | None, module: str, *, size: Sequence[int] | None = None
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
    module : str
        A module that computes feature maps, usually the last one that does, such as ``"layer4"`` of a ResNet.
    size : (int, int), optional
        Height and width to which the heat map is scaled, bilinearly, such as the pictures'; by default the module's.

    Returns
    -------
    numpy.ndarray
        float32 [batch, height, width], 0 or more, in the unit of the logits.
    """
    with Session(model, features=[module], gradients=True) as session:
        logits = session(x)
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
