"""Convolution arithmetic on squared paper: where the kernel stands, what is padding, what comes out."""

from __future__ import annotations

from typing import Any, Union

from .._optional import require
from ..errors import InvalidArgumentError
from ..shapes import resolve_padding, window_output_size
from ._canvas import FIRST, GREY, SECOND, axes

Pair = Union[int, tuple[int, int]]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _padding(padding: Any, sizes: tuple[int, int], kernel: tuple[int, int], stride: Any, dilation: Any) -> list[int]:
    """[top, bottom, left, right]."""
    if isinstance(padding, str):
        return [
            side
            for axis in (0, 1)
            for side in resolve_padding(padding, sizes[axis], kernel[axis], stride[axis], dilation[axis])
        ]
    numbers = [padding] * 4 if isinstance(padding, int) else list(padding)
    if len(numbers) == 2:
        numbers = [numbers[0], numbers[0], numbers[1], numbers[1]]
    if len(numbers) != 4:
        raise InvalidArgumentError(f"padding {padding!r}; a name, a number, (height, width) or four numbers are expected")
    return numbers


def convolution_arithmetic(
    input_size: Pair = 5,
    kernel_size: Pair = 3,
    stride: Pair = 1,
    padding: Any = 0,
    dilation: Pair = 1,
    ax: Any = None,
    *,
    at: tuple[int, int] = (0, 0),
) -> Any:
    """A convolution's window on its input, and its output beside it.

    The input is white, padding is dashed, the window that makes the output's pixel `at` (row, column) is blue, that pixel
    orange; dots mark where the windows of the other pixels begin.

    Parameters
    ----------
    padding
        A number, (height, width), (top, bottom, left, right), "valid", "same", "same_upper" or "same_lower".
    """
    rectangle = require("matplotlib.patches", "plots", "plotting").Rectangle
    sizes, kernel = _pair(input_size), _pair(kernel_size)
    steps, spread = _pair(stride), _pair(dilation)
    top, bottom, left, right = _padding(padding, sizes, kernel, steps, spread)
    rows = window_output_size(sizes[0], kernel[0], steps[0], (top, bottom), spread[0])
    columns = window_output_size(sizes[1], kernel[1], steps[1], (left, right), spread[1])
    if not (0 <= at[0] < rows and 0 <= at[1] < columns):
        raise InvalidArgumentError(f"at is {at}; the output has {rows} rows and {columns} columns")
    height, width = sizes[0] + top + bottom, sizes[1] + left + right
    ax = axes(ax, 0.42 * (width + columns + 3), 0.42 * max(height, rows) + 0.9)

    def cell(x: float, y: float, **look: Any) -> None:
        ax.add_patch(rectangle((x, y), 1, 1, **{"facecolor": "white", "edgecolor": GREY, "linewidth": 1, **look}))

    window = {
        (at[0] * steps[0] + row * spread[0], at[1] * steps[1] + column * spread[1])
        for row in range(kernel[0])
        for column in range(kernel[1])
    }
    for y in range(height):
        for x in range(width):
            inside = top <= y < top + sizes[0] and left <= x < left + sizes[1]
            look: dict[str, Any] = {} if inside else {"linestyle": (0, (2, 2)), "facecolor": "#F5F5F5"}
            if (y, x) in window:
                look.update(facecolor="#9ECAE9" if inside else "#D3E6F4")
            cell(x, y, **look)
    # On top of all cells, so that no neighbour's edge hides it.
    ax.add_patch(rectangle((left, top), sizes[1], sizes[0], fill=False, edgecolor="#333333", linewidth=2))
    corner = at[1] * steps[1], at[0] * steps[0]
    covered = (kernel[1] - 1) * spread[1] + 1, (kernel[0] - 1) * spread[0] + 1
    ax.add_patch(rectangle(corner, *covered, fill=False, edgecolor=FIRST, linewidth=2.5))
    for row in range(rows):
        for column in range(columns):
            ax.plot(column * steps[1] + 0.5, row * steps[0] + 0.5, ".", color=FIRST, markersize=4)
    begin, above = width + 2, (height - rows) / 2
    for row in range(rows):
        for column in range(columns):
            cell(begin + column, above + row, facecolor=SECOND if (row, column) == at else "white")
    ax.annotate(
        "", (begin - 0.3, height / 2), (width + 0.3, height / 2), arrowprops={"arrowstyle": "-|>", "color": "#333333"}
    )
    ax.text(width / 2, -0.3, f"input {sizes[0]} x {sizes[1]}", ha="center", va="bottom")
    ax.text(begin + columns / 2, above - 0.3, f"output {rows} x {columns}", ha="center", va="bottom")
    shape = f"kernel {kernel[0]} x {kernel[1]}, stride {steps[0]}, {steps[1]}"
    sides = f"padding {top}, {bottom}, {left}, {right}" + (f", dilation {spread[0]}, {spread[1]}" if spread != (1, 1) else "")
    ax.text((begin + columns) / 2, max(height, above + rows) + 0.25, f"{shape}\n{sides}", ha="center", va="top", color="#555555")
    ax.set_xlim(-0.3, begin + columns + 0.3)
    ax.set_ylim(max(height, rows) + 1.9, -1.1)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax
