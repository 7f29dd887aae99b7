"""What the plots share: axes, colours, and many pictures in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

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


def inches(ax: Any) -> tuple[float, float]:
    """Width and height of axes, before a layout makes room for their captions."""
    place = ax.get_position()
    width, height = ax.figure.get_size_inches()
    return place.width * width, place.height * height


class Titles(NamedTuple):
    """Texts above the tiles of a mosaic, each wrapped to the width of a tile."""

    texts: list[str]
    #: Of the highest text.
    height: float

    @classmethod
    def fitting(cls, titles: Sequence[str], count: int, width: float) -> Titles:
        """`titles` for `count` tiles of so many inches."""
        if not titles:
            return cls([], 0)
        if len(titles) != count:
            raise InvalidArgumentError(f"{len(titles)} titles for {count} pictures; one for each is expected")
        most = max(int(width / LETTER), 4)
        texts = ["\n".join(line for part in str(title).split("\n") for line in wrap(part, most)) for title in titles]
        return cls(texts, LINE * (1 + max(text.count("\n") for text in texts)))


#: Inches that a letter and a line of a title take at 8 points.
LETTER, LINE = 0.07, 0.14
#: Inches of a tile where the figure is ours.
TILE = 1.3


def _grid(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns of as many tiles; columns 0 means as many as rows."""
    if count == 0:
        raise InvalidArgumentError("there is no picture to draw")
    columns = columns or math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


def mosaic(ax: Any, tiles: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 0, **image: Any) -> Any:
    """Draws equally large tiles, [height, width] or [height, width, 3], in rows; titles stand above them."""
    rows, columns = _grid(len(tiles), columns)
    height, width = tiles[0].shape[:2]
    gap = max(1, round(width * 0.06))
    # A layout hands the margins of Matplotlib's, 23 % each way, to axes without captions.
    share = 1.25 if ax.figure.get_layout_engine() else 1
    room_x, room_y = (share * room / count for room, count in zip(inches(ax), (columns, rows)))
    above_tiles = Titles.fitting(titles, len(tiles), room_x)
    # Pixels of a tile for an inch, so that text fits into the rows kept for it.
    scale = max((width + gap) / room_x, (height + gap) / max(room_y - above_tiles.height, room_y / 4))
    above = math.ceil(above_tiles.height * scale)
    step_y, step_x = height + above + gap, width + gap
    canvas = np.full((rows * step_y - gap, columns * step_x - gap, *tiles[0].shape[2:]), np.nan)
    for number, tile in enumerate(tiles):
        top, left = number // columns * step_y + above, number % columns * step_x
        canvas[top : top + height, left : left + width] = tile
        if above:
            text = above_tiles.texts[number]
            ax.text(left + width / 2 - 0.5, top - 0.5 - 0.02 * height, text, ha="center", va="bottom", fontsize=8, linespacing=1.1)
    if canvas.ndim == 3:
        opacity = 1.0 - np.isnan(canvas[..., :1])
        canvas = np.concatenate([np.nan_to_num(canvas), opacity], axis=2)
    drawn = ax.imshow(canvas, interpolation="nearest", **image)
    ax.set_axis_off()
    return drawn


def mosaic_axes(
    ax: Any, tiles: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 0, least: float = 0
) -> Any:
    """`ax`, or axes for the tiles of an inch and a bit each, of at least so many inches each way."""
    rows, columns = _grid(len(tiles), columns)
    height, width = tiles[0].shape[:2]
    room = TILE * height / width + Titles.fitting(titles, len(tiles), TILE).height
    return axes(ax, max(TILE * columns + 0.3, least), max(room * rows + 0.4, least))
