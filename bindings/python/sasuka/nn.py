"""Networks as lists of layers, in PyTorch's words: a `Sequential` has the parameter names of PyTorch's, so weights move both ways.

>>> from sasuka import nn
>>> model = nn.Sequential(
...     nn.Conv2d(1, 16, 3, padding="same"), nn.BatchNorm2d(16), nn.ReLU(),
...     nn.Residual(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
...     nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
... ).model((1, 28, 28))

What a layer takes in follows from the layer before, so `LazyConv2d`, `LazyLinear` and `LazyBatchNorm2d` need not be told; the
others check what they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Union

from . import _elsewhere
from .errors import InvalidArgumentError
from .graph import Graph, Pair, Value
from .model import Model

Padding = Union[str, Pair]

if not TYPE_CHECKING:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.LAYERS)


class Module:
    """A part of a network: adds itself to a graph."""

    #: What `repr` shows between the brackets.
    _text = ""

    if not TYPE_CHECKING:  # A type checker knows the attributes without it.
        __getattr__ = _elsewhere.of_object(_elsewhere.MODULE)

        def __call__(self, *arguments: object, **named: object) -> None:
            raise TypeError(f"a {type(self).__name__} is not called: {_elsewhere.BUILD}")

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        """Adds the layers under `name` behind `x`; returns what they make."""
        raise NotImplementedError

    def model(self, input_shape: Sequence[int], *, seed: int = 0, threads: int = 0) -> Model:
        """A network with fresh weights for inputs of a shape without the batch: (channels, height, width) or (features,)."""
        with Graph(input_shape) as graph:
            built: Model = graph.model(self.add(graph, graph.input, ""), seed=seed, threads=threads)
            return built

    def children(self) -> list[tuple[str, Module]]:
        """The modules inside, with their names."""
        return []

    def __repr__(self) -> str:
        inside = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        if not inside:
            return f"{type(self).__name__}({self._text})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(inside) + "\n)"


def _under(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _expect(x: Value, axis: int, given: int | None, name: str, what: str) -> None:
    found = x.shape[axis] if len(x.shape) > abs(axis) else None
    if given is not None and given != found:
        raise InvalidArgumentError(f"{name}: {what} is {given}; what comes in has shape {list(x.shape)}")


def _sequence(modules: Sequence[Module | Mapping[str, Module]]) -> list[tuple[str, Module]]:
    """Modules with their names: their numbers, or the keys of a dictionary."""
    if len(modules) == 1 and isinstance(modules[0], Mapping):
        return list(modules[0].items())
    named = []
    for number, module in enumerate(modules):
        if not isinstance(module, Module):
            raise TypeError(f"part {number} is a {type(module).__name__}; a module, or one dictionary of modules, is expected")
        named.append((str(number), module))
    return named


class Sequential(Module):
    """Modules one after the other, named "0", "1", ... or by the keys of a dictionary."""

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        self._children = _sequence(modules)

    def children(self) -> list[tuple[str, Module]]:
        return self._children

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        for own, child in self._children:
            x = child.add(graph, x, _under(name, own))
        return x


class Residual(Module):
    """The sum of what modules make and of what came in (He et al. 2015, Deep Residual Learning).

    Parameters
    ----------
    *modules : Module
        One after the other; their names begin with "body.".
    shortcut : Module, optional
        What the other summand goes through, such as a convolution of 1 x 1 where the shape changes; named "shortcut".
    activation : Module, optional
        Behind the sum, such as ``ReLU()``.
    """

    def __init__(
        self, *modules: Module | Mapping[str, Module], shortcut: Module | None = None, activation: Module | None = None
    ) -> None:
        self._body, self._shortcut, self._activation = Sequential(*modules), shortcut, activation

    def children(self) -> list[tuple[str, Module]]:
        parts = [("body", self._body), ("shortcut", self._shortcut), ("activation", self._activation)]
        return [(name, part) for name, part in parts if part is not None]

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        made = self._body.add(graph, x, _under(name, "body"))
        other = x if self._shortcut is None else self._shortcut.add(graph, x, _under(name, "shortcut"))
        y = graph.add(made, other, name=_under(name, "add"))
        return y if self._activation is None else self._activation.add(graph, y, _under(name, "activation"))


class Concat(Module):
    """What branches make of the same input, joined along the channels: an Inception block, a Fire module."""

    def __init__(self, *branches: Module | Mapping[str, Module]) -> None:
        self._children = _sequence(branches)

    def children(self) -> list[tuple[str, Module]]:
        return self._children

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        made = [branch.add(graph, x, _under(name, own)) for own, branch in self._children]
        return graph.concatenate(made, axis=1, name=_under(name, "concatenate"))


class Auxiliary(Module):
    """What comes in; modules predict the classes from it as well, in training only (Szegedy et al. 2014, Going Deeper).

    Parameters
    ----------
    *modules : Module
        One after the other, to a prediction of the network's own shape.
    loss_weight : float
        Of the prediction's loss beside the network's own: 0.3 in GoogLeNet, 0.4 in Inception v3.
    """

    def __init__(self, *modules: Module | Mapping[str, Module], loss_weight: float = 0.3) -> None:
        self._head, self.loss_weight = Sequential(*modules), loss_weight

    def children(self) -> list[tuple[str, Module]]:
        return self._head.children()

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        graph.add_auxiliary(self._head.add(graph, x, name), self.loss_weight)
        return x


class Identity(Module):
    """What comes in."""

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return x


class Lambda(Module):
    """Any layers of a graph: a function of the graph and a value.

    >>> pooled = nn.Lambda(lambda graph, x: graph.mean(x, axes=(2, 3)))
    """

    def __init__(self, function: Callable[[Graph, Value], Value]) -> None:
        self._function = function
        self._text = getattr(function, "__name__", "")

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return self._function(graph, x)


class Conv2d(Module):
    """Convolution; parameters weight [out_channels, in_channels / groups, height, width] and bias.

    Parameters
    ----------
    padding
        A number, (height, width), (top, bottom, left, right), "valid", "same", "same_upper", "same_lower" or "full".
    """

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups, self.bias = stride, padding, dilation, groups, bias
        self._text = f"{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}, padding={padding!r}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        _expect(x, 1, self.in_channels, name, "in_channels")
        return graph.conv2d(
            x, name, self.out_channels, self.kernel_size, self.stride, self.padding, self.dilation, self.groups, self.bias
        )


class LazyConv2d(Conv2d):
    """`Conv2d` for as many channels as come in."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(None, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self._text = self._text.replace("None, ", "", 1)


class ConvTranspose2d(Module):
    """Transposed convolution; weight is [in_channels, out_channels / groups, height, width]."""

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
    ) -> None:
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self._rest = (stride, padding, output_padding, groups, bias, dilation)
        self._text = f"{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}, padding={padding}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        _expect(x, 1, self.in_channels, name, "in_channels")
        return graph.conv_transpose2d(x, name, self.out_channels, self.kernel_size, *self._rest)


class Linear(Module):
    """y = x Wᵀ + b over the last axis; weight is [out_features, in_features]."""

    def __init__(self, in_features: int | None, out_features: int, bias: bool = True) -> None:
        self.in_features, self.out_features, self.bias = in_features, out_features, bias
        self._text = f"{in_features}, {out_features}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        _expect(x, -1, self.in_features, name, "in_features")
        return graph.linear(x, name, self.out_features, self.bias)


class LazyLinear(Linear):
    """`Linear` for as many features as come in."""

    def __init__(self, out_features: int, bias: bool = True) -> None:
        super().__init__(None, out_features, bias)
        self._text = str(out_features)


class BatchNorm2d(Module):
    """Normalises each channel over the batch (Ioffe and Szegedy 2015); momentum None averages over all batches."""

    def __init__(
        self,
        num_features: int | None,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        self.num_features = num_features
        self._rest = (eps, momentum, affine, track_running_stats)
        self._text = "" if num_features is None else str(num_features)

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        _expect(x, 1, self.num_features, name, "num_features")
        return graph.batch_norm2d(x, name, *self._rest)


class LazyBatchNorm2d(BatchNorm2d):
    """`BatchNorm2d` for as many channels as come in."""

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True
    ) -> None:
        super().__init__(None, eps, momentum, affine, track_running_stats)


class GroupNorm(Module):
    """Normalises each group of channels of each picture (Wu and He 2018), in training and evaluation alike."""

    def __init__(self, num_groups: int, num_channels: int | None = None, eps: float = 1e-5, affine: bool = True) -> None:
        self.num_channels = num_channels
        self._all = (num_groups, eps, affine)
        self._text = f"{num_groups}, {num_channels}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        _expect(x, 1, self.num_channels, name, "num_channels")
        return graph.group_norm(x, name, *self._all)


class MaxPool2d(Module):
    """Maximum over windows; the stride is the kernel's size where none is given."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self._all = (kernel_size, stride, padding, dilation, ceil_mode)
        self._text = f"kernel_size={kernel_size}, stride={kernel_size if stride is None else stride}, padding={padding!r}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.max_pool2d(x, *self._all, name=name)


class AvgPool2d(Module):
    """Average over windows; the stride is the kernel's size where none is given."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self._all = (kernel_size, stride, padding, ceil_mode, count_include_pad)
        self._text = f"kernel_size={kernel_size}, stride={kernel_size if stride is None else stride}, padding={padding!r}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.avg_pool2d(x, *self._all, name=name)


class AdaptiveAvgPool2d(Module):
    """Average over parts of the map, as many as asked; 1 is global average pooling."""

    def __init__(self, output_size: Pair) -> None:
        self.output_size = output_size
        self._text = f"output_size={output_size}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.adaptive_avg_pool2d(x, self.output_size, name=name)


class _Activation(Module):
    _kind: str
    _parameter = 0.0

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.activation(x, self._kind, self._parameter, name=name)


class ReLU(_Activation):
    """max(x, 0)."""

    _kind = "relu"


class ReLU6(_Activation):
    """min(max(x, 0), 6)."""

    _kind = "relu6"


class LeakyReLU(_Activation):
    """x where it is positive, else `negative_slope` times x."""

    _kind = "leaky_relu"

    def __init__(self, negative_slope: float = 0.01) -> None:
        self._parameter = negative_slope
        self._text = f"negative_slope={negative_slope}"


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    _kind = "sigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent."""

    _kind = "tanh"


class SiLU(_Activation):
    """x sigmoid(x)."""

    _kind = "silu"


class Hardswish(_Activation):
    """x relu6(x + 3) / 6."""

    _kind = "hard_swish"


class Hardsigmoid(_Activation):
    """relu6(x + 3) / 6."""

    _kind = "hard_sigmoid"


class Softmax(Module):
    """exp(x) over its sum along an axis."""

    _log = False

    def __init__(self, dim: int = 1) -> None:
        self.dim = dim
        self._text = f"dim={dim}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.softmax(x, self.dim, self._log, name=name)


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`."""

    _log = True


class Dropout(Module):
    """Drops single elements with probability `p` in training."""

    _kind = "elements"

    def __init__(self, p: float = 0.5) -> None:
        self.p = p
        self._text = f"p={p}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.dropout(x, self.p, self._kind, name=name)


class Dropout2d(Dropout):
    """Drops whole feature maps (Tompson et al. 2015)."""

    _kind = "feature_maps"


class AlphaDropout(Dropout):
    """Drops elements and keeps mean and variance (Klambauer et al. 2017)."""

    _kind = "alpha"


class StochasticDepth(Dropout):
    """Drops whole samples: last in the body of a `Residual`, it skips the block (Huang et al. 2016)."""

    _kind = "samples"


class LocalResponseNorm(Module):
    """Divides by a power of the neighbouring channels' mean square (Krizhevsky et al. 2012)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self._all = (size, alpha, beta, k)
        self._text = str(size)

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.local_response_norm(x, *self._all, name=name)


class Flatten(Module):
    """Joins all axes from `start_dim` on."""

    def __init__(self, start_dim: int = 1) -> None:
        self.start_dim = start_dim

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.flatten(x, self.start_dim, name=name)


class Upsample(Module):
    """Resizes a map to `size` or by `scale_factor`, "nearest" or "bilinear"."""

    def __init__(
        self,
        size: Pair | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        self._all = (size, scale_factor, mode, align_corners)
        self._text = f"size={size}, scale_factor={scale_factor}, mode={mode!r}"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.resize(x, *self._all, name=name)


class ChannelShuffle(Module):
    """Interleaves the channels of groups (Zhang et al. 2018, ShuffleNet)."""

    def __init__(self, groups: int) -> None:
        self.groups = groups
        self._text = str(groups)

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.channel_shuffle(x, self.groups, name=name)


class ZeroPad2d(Module):
    """Pads a map with zeros by a number or, as in PyTorch, (left, right, top, bottom)."""

    _mode = "constant"

    def __init__(self, padding: int | Iterable[int]) -> None:
        left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
        self._padding = (top, bottom, left, right)
        self._text = f"({left}, {right}, {top}, {bottom})"

    def add(self, graph: Graph, x: Value, name: str) -> Value:
        return graph.pad(x, self._padding, self._mode, name=name)


class ReflectionPad2d(ZeroPad2d):
    """Pads a map with its mirror image, the edge's pixel not repeated."""

    _mode = "reflect"


class ReplicationPad2d(ZeroPad2d):
    """Pads a map with the pixels of its edge."""

    _mode = "replicate"
