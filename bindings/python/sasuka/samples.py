"""Real pictures to try things on: Fashion-MNIST where its files are, and the handwritten digits that scikit-learn brings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ._library import PathLike
from ._optional import require
from .data import ArrayDataset, idx_dataset
from .errors import FileError, InvalidArgumentError

#: In the order of their numbers (Xiao, Rasul and Vollgraf 2017).
FASHION_CLASSES = (
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
#: The same in each language that `plots.set_language` knows.
FASHION_CLASSES_IN = {
    "en": FASHION_CLASSES,
    "lt": (
        "marškinėliai", "kelnės", "megztinis", "suknelė", "paltas", "basutė", "marškiniai", "sportbatis", "rankinė", "aulinukas",
    ),
}  # fmt: skip
#: Of the 1797 digits, the last fifth is for validation.
_FIRST_VALIDATION_DIGIT = 1437


def fashion_mnist_folder() -> Path:
    """Where Fashion-MNIST's files are looked for: `$SASUKA_FASHION_MNIST`, or else sasuka/fashion-mnist in the user's cache
    (`$XDG_CACHE_HOME` or ~/.cache), where `Scripts/fetch-fashion-mnist.sh` of a checkout puts them."""
    named = os.environ.get("SASUKA_FASHION_MNIST")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sasuka" / "fashion-mnist"


def fashion_mnist(
    train: bool = True, *, count: int | None = None, folder: PathLike | None = None, language: str = "en"
) -> ArrayDataset:
    """Fashion-MNIST: pictures of ten kinds of clothes, uint8 [count, 1, 28, 28]; 60,000 to train on or 10,000 to validate on.

    Parameters
    ----------
    count : int, optional
        The first ones only.
    folder : path, optional
        With the four IDX files, packed by gzip or not; by default `fashion_mnist_folder()`. Nothing is downloaded.
    language : "en" or "lt"
        Of the classes' names.
    """
    if language not in FASHION_CLASSES_IN:
        raise InvalidArgumentError(f"language {language!r}; one of {', '.join(map(repr, FASHION_CLASSES_IN))} is expected")
    place = fashion_mnist_folder() if folder is None else Path(folder)
    try:
        found = idx_dataset(place, train, FASHION_CLASSES_IN[language])
    except FileError as reason:
        raise FileError(
            f"{reason}; put Fashion-MNIST's four IDX files there or name their folder by SASUKA_FASHION_MNIST "
            "(https://github.com/zalandoresearch/fashion-mnist has them)"
        ) from reason
    return _first(found, count)


def digits(train: bool = True, *, count: int | None = None) -> ArrayDataset:
    """Handwritten digits of scikit-learn, uint8 [count, 1, 28, 28]: 1437 to train on or 360 to validate on.

    They are 8 x 8 pixels large; each of these becomes 3 x 3 pixels, with a frame of 2 around all, so that they fit where
    Fashion-MNIST does.
    """
    bunch = require("sklearn.datasets", "notebooks", "reading handwritten digits").load_digits()
    # [1797, 8, 8] of 0 to 16
    small = np.asarray(bunch.images * (255 / 16)).round().astype(np.uint8)
    large = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    part = slice(_FIRST_VALIDATION_DIGIT) if train else slice(_FIRST_VALIDATION_DIGIT, None)
    targets = np.asarray(bunch.target[part], dtype=np.int64)
    return _first(ArrayDataset(large[part], targets, [str(number) for number in range(10)]), count)


def pictures(train: bool = True, *, count: int | None = None, language: str = "en") -> ArrayDataset:
    """Ten classes of pictures, uint8 [count, 1, 28, 28]: `fashion_mnist` where its files are, else `digits`.

    Parameters
    ----------
    count : int, optional
        The first ones only; all where there are fewer.
    language : "en" or "lt"
        Of the names of clothes.
    """
    if fashion_mnist_folder().is_dir():
        return fashion_mnist(train, count=count, language=language)
    whole = digits(train)
    return _first(whole, None if count is None else min(count, len(whole)))


def _first(dataset: ArrayDataset, count: int | None) -> ArrayDataset:
    if count is None:
        return dataset
    if not 1 <= count <= len(dataset):
        raise InvalidArgumentError(f"count is {count}; 1 to {len(dataset)} pictures are there")
    return ArrayDataset(dataset.pictures[:count], dataset.targets()[:count], dataset.classes)
