"""Convolution arithmetic on squared paper: where the kernel stands, what is padding, what comes out."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

import numpy as np

from .._optional import require
from ..errors import InvalidArgumentError
from ..shapes import resolve_padding, transposed_output_size, window_output_size
from ._canvas import FIRST, GREY, SECOND, axes
from .._words import word

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


class _Paper(NamedTuple):
    """What is drawn; pairs are (rows, columns)."""

    #: The cells that the kernel slides over; True where one holds a value of the input, else it holds 0.
    real: np.ndarray
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    input: tuple[int, int]
    output: tuple[int, int]
    #: Below both.
    caption: str


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
        A number, (height, width), (top, bottom, left, right), "valid", "same", "same_upper", "same_lower" or "full".
    """
    sizes, kernel = _pair(input_size), _pair(kernel_size)
    steps, spread = _pair(stride), _pair(dilation)
    top, bottom, left, right = _padding(padding, sizes, kernel, steps, spread)
    rows = window_output_size(sizes[0], kernel[0], steps[0], (top, bottom), spread[0])
    columns = window_output_size(sizes[1], kernel[1], steps[1], (left, right), spread[1])
    real = np.pad(np.ones(sizes, dtype=bool), ((top, bottom), (left, right)))
    shape = f"{word('kernel')} {kernel[0]} x {kernel[1]}, {word('stride')} {steps[0]}, {steps[1]}"
    sides = f"{word('padding')} {top}, {bottom}, {left}, {right}"
    if spread != (1, 1):
        sides += f", {word('dilation')} {spread[0]}, {spread[1]}"
    return _draw(_Paper(real, kernel, steps, spread, sizes, (rows, columns), f"{shape}\n{sides}"), at, ax)


def transposed_arithmetic(
    input_size: Pair = 3,
    kernel_size: Pair = 3,
    stride: Pair = 2,
    padding: Pair = 0,
    output_padding: Pair = 0,
    ax: Any = None,
    *,
    at: tuple[int, int] = (0, 0),
) -> Any:
    """A transposed convolution, drawn as the convolution of stride 1 that it is (Dumoulin and Visin 2016).

    Between the input's values, which are white, stand `stride` - 1 zeros, and around them kernel - 1 - `padding`; the
    kernel, turned by half a circle, slides over all. Colours are those of `convolution_arithmetic`.

    Parameters
    ----------
    padding : int or (height, width)
        At most kernel - 1.
    """
    sizes, kernel = _pair(input_size), _pair(kernel_size)
    steps, cut, more = _pair(stride), _pair(padding), _pair(output_padding)
    if not all(0 <= cut[axis] < kernel[axis] for axis in (0, 1)):
        raise InvalidArgumentError(f"padding is {padding} and kernel_size is {kernel_size}; 0 to kernel_size - 1 is expected")
    rows, columns = (
        transposed_output_size(sizes[axis], kernel[axis], steps[axis], cut[axis], output_padding=more[axis])
        for axis in (0, 1)
    )
    spread = np.zeros([(sizes[axis] - 1) * steps[axis] + 1 for axis in (0, 1)], dtype=bool)
    spread[:: steps[0], :: steps[1]] = True
    around = [kernel[axis] - 1 - cut[axis] for axis in (0, 1)]
    real = np.pad(spread, [(around[axis], around[axis] + more[axis]) for axis in (0, 1)])
    shape = f"{word('transposed')}, {word('kernel')} {kernel[0]} x {kernel[1]}, {word('stride')} {steps[0]}, {steps[1]}"
    sides = f"{word('padding')} {cut[0]}, {cut[1]}"
    if more != (0, 0):
        sides += f", {word('output padding')} {more[0]}, {more[1]}"
    return _draw(_Paper(real, kernel, (1, 1), (1, 1), sizes, (rows, columns), f"{shape}\n{sides}"), at, ax)


def _draw(paper: _Paper, at: tuple[int, int], ax: Any) -> Any:
    rows, columns = paper.output
    if not (0 <= at[0] < rows and 0 <= at[1] < columns):
        raise InvalidArgumentError(f"at is {at}; the output has {rows} rows and {columns} columns")
    height, width = paper.real.shape
    ax = axes(ax, 0.42 * (width + columns + 3), 0.42 * max(height, rows) + 0.9)
    _draw_input(ax, paper, at)
    begin, above = width + 2, (height - rows) / 2
    for row in range(rows):
        for column in range(columns):
            _cell(ax, begin + column, above + row, facecolor=SECOND if (row, column) == at else "white")
    ax.annotate(
        "", (begin - 0.3, height / 2), (width + 0.3, height / 2), arrowprops={"arrowstyle": "-|>", "color": "#333333"}
    )
    source = f"{word('input')} {paper.input[0]} x {paper.input[1]}"
    ax.text(width / 2, -0.3, source, ha="center", va="bottom")
    ax.text(begin + columns / 2, above - 0.3, f"{word('output')} {rows} x {columns}", ha="center", va="bottom")
    ax.text((begin + columns) / 2, max(height, above + rows) + 0.25, paper.caption, ha="center", va="top", color="#555555")
    ax.set_xlim(-0.3, begin + columns + 0.3)
    ax.set_ylim(max(height, rows) + 1.9, min(0, above) - 1.1)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _draw_input(ax: Any, paper: _Paper, at: tuple[int, int]) -> None:
    """The cells with the window on them, and a dot where each window begins."""
    rectangle = require("matplotlib.patches", "plots", "plotting").Rectangle
    steps, spread = paper.stride, paper.dilation
    window = {
        (at[0] * steps[0] + row * spread[0], at[1] * steps[1] + column * spread[1])
        for row in range(paper.kernel[0])
        for column in range(paper.kernel[1])
    }
    for (y, x), inside in np.ndenumerate(paper.real):
        look: dict[str, Any] = {} if inside else {"linestyle": (0, (2, 2)), "facecolor": "#F5F5F5"}
        if (y, x) in window:
            look.update(facecolor="#9ECAE9" if inside else "#D3E6F4")
        _cell(ax, x, y, **look)
    # On top of all cells, so that no neighbour's edge hides it: the input, and the window.
    ys, xs = np.nonzero(paper.real)
    size = xs[-1] - xs[0] + 1, ys[-1] - ys[0] + 1
    ax.add_patch(rectangle((xs[0], ys[0]), *size, fill=False, edgecolor="#333333", linewidth=2))
    corner = at[1] * steps[1], at[0] * steps[0]
    covered = (paper.kernel[1] - 1) * spread[1] + 1, (paper.kernel[0] - 1) * spread[0] + 1
    ax.add_patch(rectangle(corner, *covered, fill=False, edgecolor=FIRST, linewidth=2.5))
    for row, column in np.ndindex(paper.output):
        ax.plot(column * steps[1] + 0.5, row * steps[0] + 0.5, ".", color=FIRST, markersize=4)


def _cell(ax: Any, x: float, y: float, **look: Any) -> None:
    rectangle = require("matplotlib.patches", "plots", "plotting").Rectangle
    ax.add_patch(rectangle((x, y), 1, 1, **{"facecolor": "white", "edgecolor": GREY, "linewidth": 1, **look}))
