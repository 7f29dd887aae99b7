"""Looking into networks and changing them: tables of layers, new heads, classifiers that slide, ablation."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_size_t, c_void_p
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from . import _library
from ._library import Owner, lib, name_list, sizes
from .shapes import ReceptiveField

ABLATIONS = {"bypass": 0, "zero": 1, "shortcut": 2}
POOL_REPLACEMENTS = {"convolution": 0, "depthwise": 1, "stride": 2}

Self = TypeVar("Self", bound="Surgery")


class LayerInfo(NamedTuple):
    """One layer of a network at some input; pairs are (height, width)."""

    name: str
    #: The operator, such as "convolution".
    kind: str
    output_shape: tuple[int, ...]
    #: What slides over its map, or None.
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    dilation: tuple[int, int] | None
    #: (top, bottom, left, right)
    padding: tuple[int, int, int, int] | None
    #: What one of its values sees of the input, by rows and by columns; None where values see fields of different sizes.
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None
    #: Learnt numbers.
    parameters: int
    multiply_adds: int
    #: Of its result as float32.
    activation_bytes: int


def _layer(info: Any) -> LayerInfo:
    slides, sees = info.kernel[0] > 0, info.field_size[0] > 0
    fields = zip(info.field_size, info.field_step, info.field_start)
    rows, columns = (ReceptiveField(*field) for field in fields)
    return LayerInfo(
        name=info.name.decode(),
        kind=info.kind.decode(),
        output_shape=tuple(info.shape[: info.rank]),
        kernel=tuple(info.kernel) if slides else None,
        stride=tuple(info.stride) if slides else None,
        dilation=tuple(info.dilation) if slides else None,
        padding=tuple(info.padding) if slides else None,
        receptive_field=(rows, columns) if sees else None,
        parameters=info.parameters,
        multiply_adds=info.multiply_adds,
        activation_bytes=info.activation_bytes,
    )


def _choice(what: str, name: str, choices: dict[str, int]) -> int:
    if name not in choices:
        raise ValueError(f"{what} {name!r}; one of {', '.join(map(repr, choices))} is expected")
    return choices[name]


class Surgery(Owner):
    """What a model can tell of its network, and networks made from it.

    A changed network is a new model with copies of the numbers that stay; the old one remains as it is.
    """

    if TYPE_CHECKING:
        # What the other parts of Model have.
        _interruptible: Any
        _freezing: tuple[tuple[str, bool], ...]
        training: bool

    def layers(self, input_shape: Any = None) -> list[LayerInfo]:
        """All layers in the order of computation, at an input shape or at the nominal one.

        >>> sum(layer.parameters for layer in sasuka.create_model("vgg16").layers())
        138357544
        """
        shape = (None, 0) if input_shape is None else (sizes(input_shape), len(input_shape))
        size, needed = ctypes.sizeof(_library.LayerInfo), c_size_t()
        lib.sasuka_model_layers(self._handle, *shape, None, size, 0, ctypes.byref(needed))
        table = (_library.LayerInfo * needed.value)()
        lib.sasuka_model_layers(self._handle, *shape, table, size, needed.value, ctypes.byref(needed))
        return [_layer(info) for info in table]

    def replace_head(self: Self, num_classes: int, seed: int = 0) -> Self:
        """The same network for another number of classes.

        The last layer (linear, or a convolution of 1 x 1) and that of each auxiliary head are drawn anew from `seed` as
        PyTorch draws its layers; all else keeps its numbers.
        """
        return self._changed(lib.sasuka_model_replace_head, num_classes, seed)

    def make_convolutional(self: Self) -> Self:
        """The same network with convolutions for the linear layers of its classifier, their weights carried over.

        It gives [batch, classes, 1, 1] for a picture of the nominal size and a map of scores for a larger one. Each pixel of
        the map is what the classifier says of a part of the features of the nominal size. Auxiliary heads are left out.
        """
        return self._changed(lib.sasuka_model_make_convolutional)

    #: The same by the name of what it does to the classifier.
    convert_classifier = make_convolutional

    def ablate(self: Self, modules: str | Sequence[str], ablation: str = "bypass") -> Self:
        """The network without what some modules contribute.

        Parameters
        ----------
        modules : str or sequence of str
            Layers, such as "layer1.0.conv2", or groups of layers, such as "layer1.0"; "" is the whole network.
        ablation : str
            "bypass": residual blocks in a module keep their shortcuts only; where there is none, the module's input is passed
            on, which must have the shape of its result. "zero": its results become 0. "shortcut": residual blocks in it lose
            their shortcuts.
        """
        names = [modules] if isinstance(modules, str) else list(modules)
        return self._changed(lib.sasuka_model_ablate, *name_list(names), _choice("ablation", ablation, ABLATIONS))

    def replace_max_pool(self: Self, pattern: str = "*", replacement: str = "convolution") -> Self:
        """The network with other layers for the maximum poolings whose names match.

        Parameters
        ----------
        replacement : str
            "convolution": one of all channels with the pooling's kernel, stride and padding, and a ReLU; it begins as the
            average of each window. "depthwise": the same for each channel alone. "stride": nothing; the convolution before
            takes over the stride.
        """
        number = _choice("replacement", replacement, POOL_REPLACEMENTS)
        return self._changed(lib.sasuka_model_replace_max_pool, pattern.encode(), number)

    #: The same by the name of what it does to poolings.
    convert_pooling = replace_max_pool

    def pool_globally(self: Self, seed: int = 0) -> Self:
        """The network with global average pooling and one linear layer, drawn from `seed`, instead of its classifier."""
        return self._changed(lib.sasuka_model_pool_globally, seed)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        copied = self.ablate([])
        copied._freezing, copied.training = self._freezing, self.training
        return copied

    def _changed(self: Self, function: Any, *arguments: Any) -> Self:
        handle = c_void_p()
        try:
            self._interruptible.call(function, self._handle, *arguments, ctypes.byref(handle))
        except BaseException:
            # Ctrl-C may come when the new network is already there.
            lib.sasuka_model_destroy(handle)
            raise
        return type(self)(handle, self._interruptible)  # type: ignore[call-arg]
