"""Networks of one's own, layer by layer."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int32, c_void_p
from typing import Any, Union

from ._library import (
    BatchNormOptions,
    ConvolutionOptions,
    Owner,
    PoolOptions,
    ResizeOptions,
    defaults,
    lib,
    shape_of,
    sizes,
)
from .shapes import padding_mode

Pair = Union[int, Sequence[int]]

ACTIVATIONS = {
    "relu": 0,
    "relu6": 1,
    "leaky_relu": 2,
    "sigmoid": 3,
    "tanh": 4,
    "hard_swish": 5,
    "silu": 6,
    "hard_sigmoid": 7,
}
DROPOUTS = {"elements": 0, "feature_maps": 1, "alpha": 2, "samples": 3}
PAD_MODES = {"constant": 0, "reflect": 1, "replicate": 2}


def _choose(name: str, choices: dict[str, int], what: str) -> int:
    if name not in choices:
        raise ValueError(f"{what} {name!r}; one of {', '.join(map(repr, choices))} is expected")
    return choices[name]


def _pair(value: Pair) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    height, width = value
    return height, width


def _set_padding(options: Any, padding: Union[str, Pair]) -> None:
    """Padding as a mode's name, one number, (height, width) or (top, bottom, left, right)."""
    if isinstance(padding, str):
        options.padding_mode = padding_mode(padding)
        return
    if isinstance(padding, int):
        numbers = [padding] * 4
    elif len(padding) == 2:
        numbers = [padding[0], padding[0], padding[1], padding[1]]
    else:
        numbers = list(padding)
    if len(numbers) != 4:
        raise ValueError(f"padding {padding!r}; a name, a number, (height, width) or (top, bottom, left, right) is expected")
    options.padding[:] = numbers


class Value:
    """The input of a graph or what one of its layers makes; adds and multiplies with others."""

    def __init__(self, graph: Graph, number: int) -> None:
        self.graph = graph
        self.number = number

    @property
    def shape(self) -> tuple[int, ...]:
        """Nominal shape, with a batch of 1."""
        return shape_of(lib.sasuka_graph_shape, self.graph._handle, self.number)

    def __add__(self, other: Value) -> Value:
        return self.graph.add(self, other)

    def __mul__(self, other: Value) -> Value:
        return self.graph.multiply(self, other)

    def __repr__(self) -> str:
        return f"Value({self.number}, shape={self.shape})"


class Graph(Owner):
    """A network under construction; each method adds a layer and returns what it makes.

    Parameters
    ----------
    shape : sequence of int
        Of the input without the batch: (channels, height, width) or (features,). Height and width are nominal.

    Examples
    --------
    >>> graph = Graph((1, 28, 28))
    >>> x = graph.conv2d(graph.input, "conv", 8, 3, padding=1)
    >>> x = graph.activation(x, "relu")
    >>> x = graph.linear(graph.flatten(graph.adaptive_avg_pool2d(x, 1)), "fc", 10)
    >>> model = graph.model(x)
    """

    _destroy = "graph_destroy"

    def __init__(self, shape: Sequence[int]) -> None:
        handle, value = c_void_p(), c_int32()
        lib.sasuka_graph_create(sizes(shape), len(shape), ctypes.byref(handle), ctypes.byref(value))
        self._handle, self._shape = handle, tuple(shape)
        self.input = Value(self, value.value)

    def __repr__(self) -> str:
        return "Graph(closed)" if self._closed else f"Graph(input_shape={self._shape})"

    def model(self, output: Value, *, seed: int = 0, threads: int = 0, exact: bool = False) -> Any:
        """A model of this graph whose result is `output`, with fresh weights."""
        from .model import Model

        lib.sasuka_graph_set_output(self._handle, output.number)
        return Model._from_graph(self, seed=seed, threads=threads, exact=exact)

    def add_auxiliary(self, prediction: Value, loss_weight: float = 0.3) -> None:
        """Takes `prediction`, of the output's shape, as that of an auxiliary head (Szegedy et al. 2014): training adds its
        loss for the same target, times `loss_weight`, to the output's; evaluation does not compute it."""
        lib.sasuka_graph_add_auxiliary(self._handle, prediction.number, loss_weight)

    def _layer(self, function: str, x: Value, name: str | None, *arguments: Any) -> Value:
        result = c_int32()
        text = None if name is None else name.encode()
        getattr(lib, "sasuka_graph_" + function)(self._handle, x.number, text, *arguments, ctypes.byref(result))
        return Value(self, result.value)

    def conv2d(
        self,
        x: Value,
        name: str,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Union[str, Pair] = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> Value:
        """Convolution. Padding: a number, (height, width), (top, bottom, left, right), "valid", "same", "same_upper",
        "same_lower" or "full"."""
        options = defaults(ConvolutionOptions, "sasuka_convolution_options_init")
        options.stride[:], options.dilation[:] = _pair(stride), _pair(dilation)
        options.groups, options.bias = groups, bias
        _set_padding(options, padding)
        return self._layer("convolution", x, name, out_channels, *_pair(kernel_size), ctypes.byref(options))

    def conv_transpose2d(
        self,
        x: Value,
        name: str,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
    ) -> Value:
        """Transposed convolution."""
        options = defaults(ConvolutionOptions, "sasuka_convolution_options_init")
        options.stride[:], options.dilation[:] = _pair(stride), _pair(dilation)
        options.output_padding[:] = _pair(output_padding)
        options.groups, options.bias = groups, bias
        _set_padding(options, padding)
        return self._layer("transposed_convolution", x, name, out_channels, *_pair(kernel_size), ctypes.byref(options))

    def linear(self, x: Value, name: str, out_features: int, bias: bool = True) -> Value:
        """y = x Wᵀ + b over the last axis."""
        return self._layer("linear", x, name, out_features, bias)

    def _pool_options(self, stride: Pair | None, padding: Union[str, Pair], ceil_mode: bool) -> Any:
        options = defaults(PoolOptions, "sasuka_pool_options_init")
        if stride is not None:
            options.stride[:] = _pair(stride)
        options.ceil_mode = ceil_mode
        _set_padding(options, padding)
        return options

    def max_pool2d(
        self,
        x: Value,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Union[str, Pair] = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> Value:
        """Maximum over windows; the stride is the kernel's size where none is given."""
        options = self._pool_options(stride, padding, ceil_mode)
        options.dilation[:] = _pair(dilation)
        return self._layer("max_pool", x, name, *_pair(kernel_size), ctypes.byref(options))

    def avg_pool2d(
        self,
        x: Value,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Union[str, Pair] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        name: str | None = None,
    ) -> Value:
        """Average over windows; the stride is the kernel's size where none is given."""
        options = self._pool_options(stride, padding, ceil_mode)
        options.count_include_pad = count_include_pad
        return self._layer("average_pool", x, name, *_pair(kernel_size), ctypes.byref(options))

    def adaptive_avg_pool2d(self, x: Value, output_size: Pair, name: str | None = None) -> Value:
        """Average over parts of the map, as many as asked; 1 is global average pooling."""
        return self._layer("adaptive_average_pool", x, name, *_pair(output_size))

    def batch_norm2d(
        self,
        x: Value,
        name: str,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> Value:
        """Batch normalisation of each channel; momentum None averages over all batches."""
        options = defaults(BatchNormOptions, "sasuka_batch_norm_options_init")
        options.epsilon, options.momentum = eps, -1.0 if momentum is None else momentum
        options.affine, options.track_running_statistics = affine, track_running_stats
        return self._layer("batch_norm", x, name, ctypes.byref(options))

    def group_norm(self, x: Value, name: str, num_groups: int, eps: float = 1e-5, affine: bool = True) -> Value:
        """Normalisation of each group of channels of each picture."""
        return self._layer("group_norm", x, name, num_groups, eps, affine)

    def dropout(self, x: Value, p: float = 0.5, kind: str = "elements", name: str | None = None) -> Value:
        """Drops "elements", whole "feature_maps" or, keeping mean and variance, "alpha" in training."""
        return self._layer("dropout", x, name, p, _choose(kind, DROPOUTS, "dropout kind"))

    def local_response_norm(
        self, x: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, name: str | None = None
    ) -> Value:
        """Divides by a power of the neighbouring channels' mean square."""
        return self._layer("local_response_norm", x, name, size, alpha, beta, k)

    def activation(self, x: Value, kind: str, parameter: float = 0.01, name: str | None = None) -> Value:
        """"relu", "relu6", "leaky_relu" (`parameter` is its slope), "sigmoid", "tanh", "hard_swish", "silu",
        "hard_sigmoid"."""
        return self._layer("activation", x, name, _choose(kind, ACTIVATIONS, "activation"), parameter)

    def softmax(self, x: Value, axis: int = 1, log: bool = False, name: str | None = None) -> Value:
        """Softmax along an axis, or its logarithm."""
        return self._layer("softmax", x, name, axis, log)

    def add(self, left: Value, right: Value, name: str | None = None) -> Value:
        """Sum with NumPy's broadcasting."""
        return self._pairwise("add", left, right, name)

    def multiply(self, left: Value, right: Value, name: str | None = None) -> Value:
        """Product with NumPy's broadcasting."""
        return self._pairwise("multiply", left, right, name)

    def _pairwise(self, function: str, left: Value, right: Value, name: str | None) -> Value:
        result = c_int32()
        text = None if name is None else name.encode()
        getattr(lib, "sasuka_graph_" + function)(
            self._handle, left.number, right.number, text, ctypes.byref(result)
        )
        return Value(self, result.value)

    def concatenate(self, values: Sequence[Value], axis: int = 1, name: str | None = None) -> Value:
        """Joins values along an axis."""
        result = c_int32()
        numbers = (c_int32 * max(len(values), 1))(*[value.number for value in values])
        text = None if name is None else name.encode()
        lib.sasuka_graph_concatenate(self._handle, numbers, len(values), axis, text, ctypes.byref(result))
        return Value(self, result.value)

    def flatten(self, x: Value, start_axis: int = 1, name: str | None = None) -> Value:
        """Joins all axes from one on."""
        return self._layer("flatten", x, name, start_axis)

    def reshape(self, x: Value, shape: Sequence[int], name: str | None = None) -> Value:
        """New sizes of the axes behind the batch; one may be -1."""
        return self._layer("reshape", x, name, sizes(shape), len(shape))

    def permute(self, x: Value, order: Sequence[int], name: str | None = None) -> Value:
        """Axis i of the result is axis order[i]; the batch stays first."""
        return self._layer("permute", x, name, (c_int32 * max(len(order), 1))(*order), len(order))

    def channel_shuffle(self, x: Value, groups: int, name: str | None = None) -> Value:
        """Interleaves the channels of groups."""
        return self._layer("channel_shuffle", x, name, groups)

    def slice(
        self, x: Value, axis: int, start: int = 0, end: int = 2**62, step: int = 1, name: str | None = None
    ) -> Value:
        """Elements start, start + step, ... below end of an axis, as Python's slices count."""
        return self._layer("slice", x, name, axis, start, end, step)

    def pad(
        self, x: Value, padding: Sequence[int], mode: str = "constant", value: float = 0.0, name: str | None = None
    ) -> Value:
        """Pads a map by (top, bottom, left, right): "constant", "reflect" or "replicate"."""
        if len(padding) != 4:
            raise ValueError(f"padding {padding!r}; (top, bottom, left, right) is expected")
        return self._layer("pad", x, name, sizes(padding), _choose(mode, PAD_MODES, "pad mode"), value)

    def resize(
        self,
        x: Value,
        size: Pair | None = None,
        scale: float | Sequence[float] | None = None,
        mode: str = "bilinear",
        align_corners: bool = False,
        name: str | None = None,
    ) -> Value:
        """Resizes a map to `size` or by `scale`, "bilinear" or "nearest", as PyTorch's interpolate."""
        options = defaults(ResizeOptions, "sasuka_resize_options_init")
        options.nearest = _choose(mode, {"bilinear": 0, "nearest": 1}, "mode")
        options.align_corners = align_corners
        if size is not None:
            options.size[:] = _pair(size)
        if scale is not None:
            options.scale[:] = (scale, scale) if isinstance(scale, (int, float)) else tuple(scale)
        return self._layer("resize", x, name, ctypes.byref(options))

    def mean(self, x: Value, axes: Sequence[int], keepdims: bool = False, name: str | None = None) -> Value:
        """Mean over axes other than the batch's."""
        return self._layer("mean", x, name, (c_int32 * max(len(axes), 1))(*axes), len(axes), keepdims)
