"""Shape questions, answered without a network."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from ctypes import c_int64
from typing import NamedTuple

from ._library import Window, lib

PADDING_MODES = {"explicit": 0, "valid": 1, "same": 2, "same_upper": 3, "same_lower": 4, "full": 5}


def padding_mode(name: str) -> int:
    """The number of a padding mode's name."""
    if name not in PADDING_MODES:
        raise ValueError(f"padding {name!r}; one of {', '.join(map(repr, PADDING_MODES))} or numbers are expected")
    return PADDING_MODES[name]


def window_output_size(
    input: int, kernel: int, stride: int = 1, padding: int | tuple[int, int] = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Size of a convolution's or a pooling's output along one axis.

    Parameters
    ----------
    padding : int or (before, after)
    ceil_mode : bool
        Round up, as PyTorch's pooling does on request.
    """
    before, after = (padding, padding) if isinstance(padding, int) else padding
    result = c_int64()
    lib.sasuka_window_output_size(input, kernel, stride, dilation, before, after, ceil_mode, ctypes.byref(result))
    return result.value


def transposed_output_size(
    input: int, kernel: int, stride: int = 1, padding: int | tuple[int, int] = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """Size of a transposed convolution's output along one axis."""
    before, after = (padding, padding) if isinstance(padding, int) else padding
    result = c_int64()
    lib.sasuka_transposed_output_size(
        input, kernel, stride, dilation, before, after, output_padding, ctypes.byref(result)
    )
    return result.value


def resolve_padding(mode: str, input: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """The padding before and after that a mode ("valid", "same", "same_upper", "same_lower", "full") gives along one axis."""
    before, after = c_int64(), c_int64()
    lib.sasuka_resolve_padding(
        padding_mode(mode), input, kernel, stride, dilation, ctypes.byref(before), ctypes.byref(after)
    )
    return before.value, after.value


class ReceptiveField(NamedTuple):
    """What one value behind a stack of layers sees of the input along one axis."""

    size: int
    #: Distance of neighbouring values' fields.
    step: int
    #: First pixel; negative in the padding.
    start: int


def receptive_field(layers: Iterable[tuple[int, ...]]) -> ReceptiveField:
    """The receptive field behind layers given as (kernel, stride, dilation, padding before); the last three may be left out.

    Examples
    --------
    >>> receptive_field([(3,), (3,), (3,)]).size
    7
    """
    windows = [Window(*(tuple(layer) + (1, 1, 1, 0)[len(layer) :])) for layer in layers]
    size, step, start = c_int64(), c_int64(), c_int64()
    lib.sasuka_receptive_field(
        (Window * max(len(windows), 1))(*windows), len(windows), ctypes.byref(size), ctypes.byref(step), ctypes.byref(start)
    )
    return ReceptiveField(size.value, step.value, start.value)
