"""What is inside a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InvalidArgumentError
from ..model import Model
from ..tensors import TensorLike, as_array
from ._canvas import axes, mosaic, mosaic_axes, shown
from .._words import word


#: Inches that a title and a scale of colours need.
CAPTIONED = 3.2


def filters(model: Model, name: str | None = None, ax: Any = None, *, count: int = 64) -> Any:
    """The kernels of a convolution: in colour where it reads pictures of three channels, else each kernel's first channel.

    Parameters
    ----------
    name : str, optional
        Of the layer; by default the first convolution.
    count : int
        At most so many.
    """
    state = model.state_dict()
    kernels = {key: value for key, value in state.items() if value.ndim == 4 and key.endswith(".weight")}
    key = next(iter(kernels), "") if name is None else name + ".weight"
    if key not in kernels:
        raise InvalidArgumentError(f"{name!r} is no convolution; {', '.join(k[:-7] for k in kernels) or 'none'} are")
    weights = kernels[key][:count]
    ax = mosaic_axes(ax, list(weights[:, 0]), least=CAPTIONED)
    if weights.shape[1] == 3:
        # One scale for all, grey for 0, so that kernels can be compared.
        high = float(np.abs(weights).max()) or 1.0
        mosaic(ax, [shown(kernel / (2 * high) + 0.5) for kernel in weights])
    else:
        high = float(np.abs(weights[:, 0]).max()) or 1.0
        drawn = mosaic(ax, [kernel[0] for kernel in weights], cmap="RdBu_r", vmin=-high, vmax=high)
        ax.figure.colorbar(drawn, ax=ax, shrink=0.7)
    ax.set_title(key[:-7], fontsize=10)
    return ax


def feature_maps(model: Model, picture: TensorLike, name: str, ax: Any = None, *, count: int = 36) -> Any:
    """What a module makes of one picture, map by map.

    Parameters
    ----------
    picture : array_like
        [channels, height, width], as the model takes it.
    name : str
        Of the module, such as "layer1".
    count : int
        At most so many maps, the first ones.
    """
    values = as_array(picture)
    batch = values[np.newaxis] if values.ndim == 3 else values[:1]
    maps = model.extract_features(batch, [name])[name][0]
    if maps.ndim != 3:
        raise InvalidArgumentError(f"{name!r} makes {list(maps.shape)} of a picture; maps are expected")
    ax = mosaic_axes(ax, list(maps[:count]), least=CAPTIONED)
    drawn = mosaic(ax, list(maps[:count]), cmap="viridis")
    shape = f"{maps.shape[1]} x {maps.shape[2]}"
    ax.set_title(f"{name}: {min(count, len(maps))} {word('of')} {len(maps)} {word('maps')}, {shape}", fontsize=10)
    ax.figure.colorbar(drawn, ax=ax, shrink=0.7)
    return ax


def grad_cam(picture: Any, heat: Any, ax: Any = None, *, alpha: float = 0.5) -> Any:
    """Where a class is seen: a map of Grad-CAM (Selvaraju et al. 2017) over the picture.

    >>> plots.grad_cam(picture, sasuka.grad_cam(model, picture[np.newaxis], None, "layer4")[0])

    Parameters
    ----------
    picture : array_like
        [1 or 3, height, width].
    heat : array_like
        [height, width] of any size; stretched over the picture.
    """
    image, values = shown(np.asarray(picture)), np.asarray(heat, dtype=np.float64)
    if values.ndim != 2:
        raise InvalidArgumentError(f"heat has shape {list(values.shape)}; [height, width] is expected")
    ax = axes(ax, 4.4, 4.0)
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(image, extent=extent)
    finite = values[np.isfinite(values)]
    # Where there is no heat at all, none is shown.
    high = float(finite.max(initial=0)) or 1.0
    drawn = ax.imshow(values, cmap="inferno", alpha=alpha, extent=extent, interpolation="bilinear", vmin=0, vmax=high)
    ax.figure.colorbar(drawn, ax=ax, shrink=0.8)
    ax.set_axis_off()
    return ax
