"""A network drawn as a graph, from the input at the top to the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._optional import require
from ..describe import COLOURS, operator_text, shape_text, window_text
from ..errors import InvalidArgumentError
from ..model import Model
from ..surgery import LayerInfo
from ._canvas import axes
from .._words import word

#: Half of a box's height, in rows.
HALF = 0.33


class _Box(NamedTuple):
    title: str
    text: str
    colour: str


def network(model: Model, ax: Any = None, *, depth: int | None = None, input_shape: Sequence[int] | None = None) -> Any:
    """The layers as boxes, each below all that it reads, and arrows for the tensors between them.

    Parameters
    ----------
    depth : int, optional
        Draws modules to this depth of their names as one box: 1 shows "layer1" of a ResNet, 2 shows "layer1.0". By default
        every layer has a box.
    """
    layers = model.layers(input_shape)
    owners, boxes = _grouped(layers, depth)
    place = {name: number for number, name in enumerate(boxes)}
    arrows = sorted(
        {
            (-1 if source < 0 else place[owners[source]], place[owners[target]])
            for source, target in model.connections()
            if source < 0 or owners[source] != owners[target]
        }
    )
    rows = _rows(len(boxes), arrows)
    spots = _spots(rows)
    ax = axes(ax, 5 * max(x for x, _ in spots.values()) + 3.2, 0.85 * (max(rows.values()) + 1) + 0.3)
    shape = (1, *model.input_shape) if input_shape is None else tuple(input_shape)
    drawn = {-1: _Box(word("input"), shape_text(shape), "#FFFFFF"), **dict(enumerate(boxes.values()))}
    patches = require("matplotlib.patches", "plots", "plotting")
    for number, box in drawn.items():
        x, y = spots[number]
        look = {"facecolor": box.colour, "edgecolor": "#777777", "linewidth": 0.8}
        ax.add_patch(patches.FancyBboxPatch((x - 0.44, y - HALF), 0.88, 2 * HALF, "round,pad=0,rounding_size=0.06", zorder=2, **look))
        ax.text(x, y - 0.12, box.title, ha="center", va="bottom", fontsize=7, weight="bold", zorder=3)
        ax.text(x, y - 0.09, box.text, ha="center", va="top", fontsize=6, color="#444444", zorder=3)
    for source, target in arrows:
        _arrow(ax, spots[source], spots[target], rows[target] - rows[source])
    width = max(abs(x) for x, _ in spots.values()) + 0.7
    ax.set_xlim(-width, width)
    ax.set_ylim(max(y for _, y in spots.values()) + 0.45, -0.45)
    ax.set_axis_off()
    return ax


def _grouped(layers: Sequence[LayerInfo], depth: int | None) -> tuple[list[str], dict[str, _Box]]:
    """The box that each layer belongs to, and the boxes in order."""
    owners = []
    for number, layer in enumerate(layers):
        owner = layer.name if depth is None else ".".join(layer.name.split(".")[:depth])
        # A layer that is used twice, such as a block's ReLU, has a box for each time.
        owners.append(f"{owner}\0{number}" if owner == layer.name else owner)
    inside: dict[str, list[LayerInfo]] = {}
    for owner, layer in zip(owners, layers):
        inside.setdefault(owner, []).append(layer)
    boxes = {}
    for name, group in inside.items():
        last, title = group[-1], name.partition("\0")[0]
        if len(group) == 1:
            window = window_text(last, word).replace(", ", " · ")
            what = operator_text(last, word) + (f" {window}" if window else "")
            boxes[name] = _Box(title, f"{what}\n{shape_text(last.output_shape)}", COLOURS.get(last.kind, "#FFFFFF"))
        else:
            boxes[name] = _Box(title, f"{len(group)} {word('layers')}\n{shape_text(last.output_shape)}", "#E9E4F2")
    return owners, boxes


def _rows(count: int, arrows: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The row of each box: one below the lowest that it reads; the input's is 0."""
    rows = {-1: 0}
    waiting = dict.fromkeys(range(count))
    reads: dict[int, list[int]] = {number: [] for number in waiting}
    for source, target in arrows:
        reads[target].append(source)
    while waiting:
        ready = [number for number in waiting if all(source in rows for source in reads[number])]
        if not ready:
            raise InvalidArgumentError("modules of this depth read each other's results in a circle; choose another depth")
        for number in ready:
            rows[number] = 1 + max([rows[source] for source in reads[number]], default=0)
            del waiting[number]
    return rows


def _spots(rows: dict[int, int]) -> dict[int, tuple[float, float]]:
    """Where each box is: those of one row side by side around the middle."""
    shared: dict[int, list[int]] = {}
    for number, row in rows.items():
        shared.setdefault(row, []).append(number)
    return {
        number: (index - (len(numbers) - 1) / 2, float(row))
        for row, numbers in shared.items()
        for index, number in enumerate(sorted(numbers))
    }


def _arrow(ax: Any, start: tuple[float, float], end: tuple[float, float], rows: int) -> None:
    """Straight to the next row; around what stands between where it skips rows."""
    look: dict[str, Any] = {"arrowstyle": "-|>", "color": "#666666", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    if rows == 1:
        ax.annotate("", (end[0], end[1] - HALF), (start[0], start[1] + HALF), arrowprops=look, zorder=1)
        return
    side = -1 if start[0] < 0 else 1
    look["connectionstyle"] = f"arc3,rad={-side * min(0.5, 0.22 + 0.4 / rows)}"
    ax.annotate("", (end[0] + side * 0.44, end[1]), (start[0] + side * 0.44, start[1]), arrowprops=look, zorder=1)
