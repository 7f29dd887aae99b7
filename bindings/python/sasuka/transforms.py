"""Augmentation of whole batches: each transform takes pictures, targets and a random generator, and returns new ones.

Pictures are [batch, channels, height, width]. A batch's generator follows from the loader's seed, the epoch and the batch's
number, so what comes out does not depend on how many threads work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Union

import numpy as np

from .errors import InvalidArgumentError

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
    return pictures.astype(np.float32, copy=False)


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
    """Blends each picture with another of its batch, by a share that is drawn for each (Zhang et al. 2017).

    Targets that are numbers, such as rows of probabilities, are blended likewise. Of class numbers one is drawn, the first
    with the share's probability: the engine's cross-entropy takes one class a picture, and so its gradient is, on average,
    that of the blend of both losses.

    Parameters
    ----------
    alpha : float
        Shares follow Beta(alpha, alpha).
    """

    def __init__(self, alpha: float = 0.2) -> None:
        if alpha <= 0:
            raise InvalidArgumentError(f"alpha is {alpha}; more than 0 is expected")
        self.alpha = alpha

    def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
        count = len(pictures)
        share = random.beta(self.alpha, self.alpha, count).astype(np.float32)
        partner = random.permutation(count)
        first_wins = random.random(count) < share
        weight = share.reshape(-1, *[1] * (pictures.ndim - 1))
        pictures = scaled(pictures)
        mixed = weight * pictures + (1 - weight) * pictures[partner]
        if targets.dtype.kind == "f":
            weight = share.reshape(-1, *[1] * (targets.ndim - 1))
            return mixed, (weight * targets + (1 - weight) * targets[partner]).astype(targets.dtype, copy=False)
        chosen = first_wins.reshape(-1, *[1] * (targets.ndim - 1))
        return mixed, np.where(chosen, targets, targets[partner])
