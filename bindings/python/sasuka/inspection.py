"""What a model tells of itself in PyTorch's words, and what it leaves as it is in training."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from ctypes import c_int32, c_size_t
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from . import _elsewhere, describe
from ._library import Owner, lib, shape_of
from .errors import NotFoundError

if TYPE_CHECKING:
    from .model import Parameter
    from .surgery import LayerInfo

Self = TypeVar("Self", bound="Inspection")


def matches(pattern: str, name: str) -> bool:
    """Whether a name is of a pattern, as the engine reads it: ``*`` is any text, ``?`` any letter."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name, flags=re.DOTALL) is not None


class Inspection(Owner):
    """A part of `Model`."""

    #: Whether the model is in training mode; see `train`.
    training = False
    _freezing: tuple[tuple[str, bool], ...] = ()

    if TYPE_CHECKING:
        # What the other parts of Model have.
        def layers(self, input_shape: Any = None) -> list[LayerInfo]: ...
        def parameters(self) -> list[Parameter]: ...
        def state_dict(self) -> dict[str, np.ndarray]: ...

    # A type checker knows the attributes without these.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if self._is_part(name):
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}; it is a part of the network: "
                    f"model.features(pictures, {name!r}) computes it, dict(model.named_modules())[{name!r}] describes it, "
                    "model.state_dict() has its numbers"
                )
            return _elsewhere.of_object(_elsewhere.MODEL)(self, name)

        def __setattr__(self, name: str, value: Any) -> None:
            if not hasattr(type(self), name) and self._is_part(name):
                raise AttributeError(
                    f"{name!r} is a part of the network, which no assignment changes: model.replace_head(classes) gives the "
                    "network for other classes, model.load_state_dict(state, strict=False) takes numbers"
                )
            super().__setattr__(name, value)

    def _is_part(self, name: str) -> bool:
        """Whether a layer, or a group of layers, has this name."""
        if name.startswith("_") or self._owned is None:
            return False
        return any(layer.name.partition(".")[0] == name for layer in self.layers())

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The nominal input's shape without the batch, such as (3, 224, 224)."""
        return shape_of(lib.sasuka_model_input_shape, self._handle)[1:]

    def connections(self) -> list[tuple[int, int]]:
        """(maker, reader): which layer reads which one's result, by their numbers in `layers`; -1 is the network's input."""
        needed = c_size_t()
        lib.sasuka_model_connections(self._handle, None, 0, ctypes.byref(needed))
        numbers = (c_int32 * max(needed.value, 1))()
        lib.sasuka_model_connections(self._handle, numbers, needed.value, ctypes.byref(needed))
        return list(zip(numbers[: needed.value : 2], numbers[1 : needed.value : 2]))

    def __repr__(self) -> str:
        if self._closed:
            return "Model(closed)"
        learnt = sum(math.prod(shape) for _, shape, kind in self.parameters() if kind == "weight")
        return f"Model(input_shape={self.input_shape}, {learnt:,} parameters)"

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Names and copies of what is learnt, in PyTorch's order; `state_dict` has what is gathered as well."""
        state = self.state_dict()
        return ((name, state[name]) for name, _, kind in self.parameters() if kind == "weight")

    def named_modules(self, input_shape: Any = None) -> Iterator[tuple[str, describe.Module]]:
        """Names and modules, groups before what is in them, the whole network as "" first.

        >>> dict(model.named_modules())["layer1"].parameters
        """
        return ((module.name, module) for module in describe.modules(self.layers(input_shape)))

    def _repr_html_(self) -> str:
        return describe.to_html(self.layers())

    def to_dot(self, input_shape: Any = None, name: str = "network") -> str:
        """The network drawn as a graph, in Graphviz's language: boxes of layers framed by module.

        >>> import graphviz; graphviz.Source(model.to_dot())
        """
        shape = (1, *self.input_shape) if input_shape is None else tuple(input_shape)
        return describe.to_dot(self.layers(input_shape), self.connections(), shape, name)

    # ---- Modes

    def train(self: Self, mode: bool = True) -> Self:
        """Lets calls compute as training does until `eval`: dropout is on, and BatchNorm uses the batch's statistics and
        updates its running ones. Nothing is learnt; that is a trainer's, whose steps always compute so. Sessions, features
        and gradients stay those of evaluation."""
        self.training = bool(mode)
        return self

    def eval(self: Self) -> Self:
        """Ends what `train` began; a new model is in this mode."""
        return self.train(False)

    # ---- Freezing

    def freeze(self: Self, pattern: str = "*") -> Self:
        """Trainers and learners made from now on leave parameters whose names match as they are.

        >>> model.freeze().unfreeze("fc.*")
        """
        return self._set_frozen(pattern, True)

    def unfreeze(self: Self, pattern: str = "*") -> Self:
        """Trainers and learners made from now on train parameters whose names match again."""
        return self._set_frozen(pattern, False)

    def _set_frozen(self: Self, pattern: str, frozen: bool) -> Self:
        names = [parameter.name for parameter in self.parameters() if parameter.kind == "weight"]
        if not any(matches(pattern, name) for name in names):
            raise NotFoundError(f'"{pattern}" is the name of no learnt parameter; the first ones are {", ".join(names[:3])}')
        kept = () if pattern == "*" else self._freezing
        self._freezing = (*kept, (pattern, frozen))
        return self

    def frozen(self) -> list[str]:
        """Names of the learnt parameters that trainers leave as they are."""
        names = []
        for name, _, kind in self.parameters():
            decisions = [frozen for pattern, frozen in self._freezing if matches(pattern, name)]
            if kind == "weight" and decisions and decisions[-1]:
                names.append(name)
        return names
