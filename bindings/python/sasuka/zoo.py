"""The networks that exist, by torchvision's names and by the modules of torchvision that they stand in."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Optional, Union

from . import _elsewhere
from .model import architectures

#: Module -> the patterns of its networks' names, in torchvision's words where it has the network.
FAMILIES: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet",),
    "all_cnn": ("all_cnn_*",),
    "cifar": ("cifar_*",),
    "densenet": ("densenet*",),
    "efficientnet": ("efficientnet_*",),
    "googlenet": ("googlenet",),
    "inception": ("inception_*",),
    "lenet": ("lenet*",),
    "mnasnet": ("mnasnet*",),
    "mobilenetv2": ("mobilenet_v2",),
    "mobilenetv3": ("mobilenet_v3_*",),
    "regnet": ("regnet_*",),
    "resnet": ("resnet*", "resnext*", "wide_resnet*"),
    "shufflenetv2": ("shufflenet_v2_*",),
    "squeezenet": ("squeezenet*",),
    "vgg": ("vgg*",),
}

Patterns = Optional[Union[str, Iterable[str]]]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listed(patterns: Patterns) -> list[str]:
    if patterns is None:
        return []
    return [patterns] if isinstance(patterns, str) else list(patterns)


@_elsewhere.arguments_of(_elsewhere.LIST)
def list_models(include: Patterns = None, exclude: Patterns = None, *, module: str | None = None) -> list[str]:
    """The names that `create_model` knows, sorted.

    Parameters
    ----------
    include, exclude : str or iterable of str, optional
        Patterns such as ``"resnet*"``: of the names to keep, and of those to leave out.
    module : str, optional
        Only one family, by the name of torchvision's module: "resnet" holds ResNet, ResNeXt and Wide ResNet.

    Examples
    --------
    >>> sasuka.list_models("*18*")
    ['resnet18']
    >>> sasuka.list_models(module="resnet", exclude="wide*")
    ['resnet101', 'resnet152', 'resnet18', ...]
    """
    if module is not None and module not in FAMILIES:
        raise ValueError(f"module {module!r}; one of {', '.join(map(repr, FAMILIES))} is expected")
    family = ("*",) if module is None else FAMILIES[module]
    wanted, unwanted = _listed(include) or ["*"], _listed(exclude)
    return sorted(
        name
        for name in architectures()
        if _matches(name, family) and _matches(name, wanted) and not _matches(name, unwanted)
    )
