"""Augmentation of whole batches: each transform takes pictures, targets and a random generator, and returns new ones.

Pictures are [batch, channels, height, width]. A batch's generator follows from the loader's seed, the epoch and the batch's
number, so what comes out does not depend on how many threads work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional, Protocol, Union

import numpy as np

from . import _elsewhere
from .errors import InvalidArgumentError
from .tensors import as_float32

if not TYPE_CHECKING:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.TRANSFORMS)

Batch = tuple[np.ndarray, np.ndarray]


class Transform(Protocol):
    """Anything that can be called so."""

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch: ...


class Compose:
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        for transform in self.transforms:
            pictures, targets = transform(pictures, targets, random)
        return pictures, targets


def _probability(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise InvalidArgumentError(f"{name} is {value}; 0 to 1 is expected")
    return value


def scaled(pictures: np.ndarray) -> np.ndarray:
    """Pictures as float32; bytes of 0 to 255 become 0 to 1."""
    if pictures.dtype == np.uint8:
        return np.asarray(np.multiply(pictures, np.float32(1 / 255), dtype=np.float32))
    return as_float32(pictures)


class RandomHorizontalFlip:
    """Mirrors each picture, left to right, with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = _probability(p, "p")

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        chosen = random.random(len(pictures)) < self.p
        pictures = pictures.copy()
        pictures[chosen] = pictures[chosen, ..., ::-1]
        return pictures, targets


class RandomCrop:
    """Pads each picture and cuts one of the old size, or of `size`, out of it at random.

    Parameters
    ----------
    padding : int
        Pixels on each side.
    size : int or (height, width), optional
        Of what is cut out.
    padding_mode : {"constant", "edge", "reflect"}
    fill : float
        What "constant" pads with.
    """

    def __init__(
        self,
        padding: int = 4,
        size: Union[int, tuple[int, int], None] = None,
        padding_mode: str = "constant",
        fill: float = 0,
    ) -> None:
        if padding < 0:
            raise InvalidArgumentError(f"padding is {padding}; 0 or more is expected")
        if padding_mode not in ("constant", "edge", "reflect"):
            raise InvalidArgumentError(f"padding_mode {padding_mode!r}; 'constant', 'edge' or 'reflect' is expected")
        self.padding, self.padding_mode, self.fill = padding, padding_mode, fill
        self.size = (size, size) if isinstance(size, int) else size

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        height, width = self.size or pictures.shape[2:]
        around = ((0, 0), (0, 0), (self.padding, self.padding), (self.padding, self.padding))
        if self.padding_mode == "constant":
            padded = np.pad(pictures, around, constant_values=self.fill)
        else:
            padded = np.pad(pictures, around, mode="edge" if self.padding_mode == "edge" else "reflect")
        spare = padded.shape[2] - height, padded.shape[3] - width
        if min(spare) < 0:
            raise InvalidArgumentError(
                f"size is {height} x {width}; the padded pictures are {padded.shape[2]} x {padded.shape[3]}"
            )
        tops = random.integers(0, spare[0] + 1, len(pictures))
        lefts = random.integers(0, spare[1] + 1, len(pictures))
        cut = np.empty((*pictures.shape[:2], height, width), dtype=pictures.dtype)
        for place, picture, top, left in zip(cut, padded, tops, lefts):
            place[...] = picture[:, top : top + height, left : left + width]
        return cut, targets


class Normalize:
    """(picture - mean) / std for each channel, as float32; bytes of 0 to 255 are first scaled to 0 to 1."""

    def __init__(self, mean: Sequence[float] | float, std: Sequence[float] | float) -> None:
        self.mean = np.atleast_1d(np.asarray(mean, dtype=np.float32)).reshape(-1, 1, 1)
        self.std = np.atleast_1d(np.asarray(std, dtype=np.float32)).reshape(-1, 1, 1)
        if (self.std <= 0).any():
            raise InvalidArgumentError(f"std is {std}; numbers above 0 are expected")

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        return (scaled(pictures) - self.mean) / self.std, targets


class Cutout:
    """Fills a square at a random place of each picture (DeVries and Taylor 2017).

    Parameters
    ----------
    size : int
        Length of the square's sides in pixels; what lies outside the picture is lost.
    """

    def __init__(self, size: int, fill: float = 0, p: float = 1.0) -> None:
        if size < 1:
            raise InvalidArgumentError(f"size is {size}; at least 1 is expected")
        self.size, self.fill, self.p = size, fill, _probability(p, "p")

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        count, _, height, width = pictures.shape
        tops = np.asarray(random.integers(0, height, count)) - self.size // 2
        lefts = np.asarray(random.integers(0, width, count)) - self.size // 2
        # A square far above the picture fills nothing.
        tops[random.random(count) >= self.p] = -self.size
        pictures = pictures.copy()
        for picture, top, left in zip(pictures, tops.tolist(), lefts.tolist()):
            picture[:, max(top, 0) : top + self.size, max(left, 0) : left + self.size] = self.fill
        return pictures, targets


class Mixup:
    """Blends each picture with another of its batch, by a share that is drawn for each, and their targets likewise (Zhang et
    al. 2017, mixup: Beyond Empirical Risk Minimization).

    Class numbers become rows of probabilities, which the cross-entropy of `Trainer` and `Learner` takes as they are.

    Parameters
    ----------
    alpha : float
        Shares follow Beta(alpha, alpha).
    num_classes : int, optional
        How many classes there are: needed where targets are class numbers. `Learner` knows it: ``Learner(..., mixup=0.2)``.
    """

    def __init__(self, alpha: float = 0.2, num_classes: Optional[int] = None) -> None:
        if not 0 < alpha < math.inf:
            raise InvalidArgumentError(f"alpha is {alpha}; more than 0 is expected")
        if num_classes is not None and num_classes < 1:
            raise InvalidArgumentError(f"num_classes is {num_classes}; at least 1 is expected")
        self.alpha, self.num_classes = alpha, num_classes

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        count = len(pictures)
        share = random.beta(self.alpha, self.alpha, count).astype(np.float32)
        partner = random.permutation(count)
        numbers = targets if targets.dtype.kind == "f" else self._probabilities(targets)

        def blended(values: np.ndarray) -> np.ndarray:
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            mixed = weight * values + (1 - weight) * values[partner]
            return np.asarray(mixed, dtype=values.dtype)

        return blended(scaled(pictures)), blended(numbers)

    def _probabilities(self, classes: np.ndarray) -> np.ndarray:
        """1 at each class, 0 elsewhere: [batch, classes, ...]."""
        if self.num_classes is None:
            raise InvalidArgumentError(
                f"Mixup was not told num_classes, and targets are {classes.dtype}: classes become rows of probabilities; "
                "numbers to be blended as they are must be floats"
            )
        if classes.dtype.kind not in "iub":
            raise InvalidArgumentError(f"targets are {classes.dtype}; class numbers or floats are expected")
        numbers = classes.astype(np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.num_classes:
            wrong = numbers.min() if numbers.min() < 0 else numbers.max()
            raise InvalidArgumentError(f"label {wrong}; 0 to {self.num_classes - 1} is expected")
        return np.moveaxis(np.eye(self.num_classes, dtype=np.float32)[numbers], -1, 1)
