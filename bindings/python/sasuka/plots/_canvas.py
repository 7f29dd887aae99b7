"""What the plots share: axes, colours, and many pictures in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._optional import pyplot
from ..errors import InvalidArgumentError

#: Blue, orange and green that people of every colour vision tell apart (Okabe and Ito 2008).
FIRST, SECOND, THIRD, GREY = "#0072B2", "#D55E00", "#009E73", "#8C8C8C"


def axes(ax: Any, width: float = 6.4, height: float = 4.0) -> Any:
    """`ax`, or the axes of a new figure of that many inches."""
    if ax is None:
        _, ax = pyplot().subplots(figsize=(width, height), layout="constrained")
    return ax


def recede(ax: Any) -> Any:
    """Takes away what frames a curve and says nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def shown(picture: np.ndarray) -> np.ndarray:
    """A picture [channels, height, width] or [height, width] as Matplotlib wants it, its values spread over 0 to 1.

    Bytes keep their meaning, and so do numbers that lie in 0 to 1.
    """
    if picture.ndim == 2:
        picture = picture[np.newaxis]
    if picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise InvalidArgumentError(f"a picture has shape {list(picture.shape)}; [1 or 3, height, width] is expected")
    if picture.dtype == np.uint8:
        picture = picture / 255
    low, high = float(picture.min()), float(picture.max())
    if low < 0 or high > 1:
        picture = (picture - low) / max(high - low, 1e-12)
    return np.asarray(picture.transpose(1, 2, 0) if len(picture) == 3 else np.repeat(picture[0, :, :, None], 3, axis=2))


def mosaic(ax: Any, tiles: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 0, **image: Any) -> Any:
    """Draws equally large tiles, [height, width] or [height, width, 3], in rows; titles stand above them."""
    if not tiles:
        raise InvalidArgumentError("there is no picture to draw")
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[:2]
    # A line of text is as high as an eighth of a tile at the size that `mosaic_axes` gives.
    above = max(1, round(height * 0.28)) if titles else 0
    gap = max(1, round(width * 0.06))
    step_y, step_x = height + above + gap, width + gap
    canvas = np.full((rows * step_y - gap, columns * step_x - gap, *tiles[0].shape[2:]), np.nan)
    for number, tile in enumerate(tiles):
        top, left = number // columns * step_y + above, number % columns * step_x
        canvas[top : top + height, left : left + width] = tile
        if titles:
            ax.text(left + width / 2 - 0.5, top - 0.5 - 0.02 * height, titles[number], ha="center", va="bottom", fontsize=8)
    if canvas.ndim == 3:
        opacity = 1.0 - np.isnan(canvas[..., :1])
        canvas = np.concatenate([np.nan_to_num(canvas), opacity], axis=2)
    drawn = ax.imshow(canvas, interpolation="nearest", **image)
    ax.set_axis_off()
    return drawn


def mosaic_axes(ax: Any, count: int, columns: int = 0, titled: bool = False) -> Any:
    """Axes for as many tiles of an inch and a bit each."""
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    return axes(ax, 1.3 * columns + 0.3, (1.65 if titled else 1.3) * rows + 0.4)
