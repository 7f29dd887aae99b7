"""What a network gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import DataLoader, Dataset, as_loader
from ..errors import InvalidArgumentError, WrongStateError
from ..learner import Learner
from ._canvas import axes, inches, mosaic, mosaic_axes, shown
from .._words import word


def _names(classes: Sequence[str], count: int) -> list[str]:
    return list(classes) if len(classes) == count else [str(number) for number in range(count)]


#: Of so many classes at most, a confusion matrix has numbers in its cells; of more, colours only.
MOST_NUMBERS = 30


def _matrix_axes(ax: Any, names: Sequence[str]) -> Any:
    """`ax`, or axes for a square of as many rows as there are names, which stand on two sides of it."""
    size, longest = len(names), max(map(len, names))
    side = size * (0.55 if size <= 12 else 0.42) if size <= MOST_NUMBERS else max(12.6, 0.09 * size)
    # Inches of a letter, along its line and across a line that is turned by 45 degrees.
    return axes(ax, side + 1.7 + 0.075 * longest, side + 1.1 + 0.055 * longest)


def _write_numbers(ax: Any, shares: np.ndarray, numbers: np.ndarray, digits: int) -> None:
    """In each cell that has one and on the diagonal, as large as the longest of them may be."""
    texts = {
        place: f"{number:.{digits}f}" for place, number in np.ndenumerate(numbers) if number or place[0] == place[1]
    }
    # In points; a digit is about 0.65 as wide as it is high.
    cell = 72 * min(inches(ax)) / len(shares)
    size = min(9.0, max(4.0, 0.9 * cell / (0.65 * max(map(len, texts.values())))))
    for (row, column), text in texts.items():
        colour = "white" if shares[row, column] > 0.5 else "#333333"
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def confusion_matrix(
    true: Any, predicted: Any = None, ax: Any = None, *, classes: Sequence[str] = (), normalize: bool = False
) -> Any:
    """How often each class is taken for which.

    Parameters
    ----------
    true : array_like of int, or Learner
        Classes; of a learner, those of its validation data and what it predicts of them.
    predicted : array_like of int, optional
        Classes, or probabilities [count, classes].
    normalize : bool
        Shares of each true class instead of counts.
    """
    if isinstance(true, Learner):
        if true.valid is None:
            raise WrongStateError("the learner has no validation data; give classes and predictions")
        classes = classes or true.valid.dataset.classes
        true, predicted = true.valid.dataset.targets(), true.predict(true.valid.in_order())
    actual, guessed = np.asarray(true), np.asarray(predicted)
    size = max(len(classes), guessed.shape[1] if guessed.ndim == 2 else 0)
    if guessed.ndim == 2:
        guessed = guessed.argmax(axis=1)
    if actual.shape != guessed.shape or actual.size == 0:
        raise InvalidArgumentError(f"{actual.shape} true and {guessed.shape} predicted classes; as many are expected")
    size = max(size, int(actual.max()) + 1, int(guessed.max()) + 1)
    counts = np.zeros((size, size))
    np.add.at(counts, (actual.astype(int), guessed.astype(int)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = _names(classes, size)
    ax = _matrix_axes(ax, names)
    drawn = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if size > MOST_NUMBERS:
        ax.figure.colorbar(drawn, ax=ax, shrink=0.7)
    else:
        _write_numbers(ax, shares, shares if normalize else counts, 2 if normalize else 0)
    turned, small = max(map(len, names)) > 2, 9 if size <= 12 else 7 if size <= MOST_NUMBERS else 5
    ax.set_xticks(range(size), names, rotation=45 if turned else 0, ha="right" if turned else "center", fontsize=small)
    ax.set_yticks(range(size), names, fontsize=small)
    ax.set_xlabel(word("predicted"))
    ax.set_ylabel(word("true"))
    ax.tick_params(length=0)
    return ax


def pictures(batch: Any, ax: Any = None, *, titles: Sequence[str] = (), columns: int = 0) -> Any:
    """Pictures [count, 1 or 3, height, width] in rows, with a title above each, wrapped where it is wider than its picture."""
    tiles = [shown(picture) for picture in np.asarray(batch)]
    ax = mosaic_axes(ax, tiles, titles, columns)
    mosaic(ax, tiles, titles, columns)
    return ax


def top_losses(learner: Learner, count: int = 9, ax: Any = None, data: DataLoader | Dataset | None = None) -> Any:
    """The pictures that a classifier is most wrong about: predicted / true class, loss.

    Parameters
    ----------
    data : DataLoader or Dataset, optional
        By default the learner's validation data.
    """
    source = learner.valid if data is None else data
    if source is None:
        raise InvalidArgumentError("the learner has no validation data; give top_losses some")
    loader = as_loader(source, learner.batch_size, shuffle=False).in_order()
    dataset = loader.dataset
    true, probabilities = np.asarray(dataset.targets()).astype(int), learner.predict(loader)
    loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12))
    worst = np.argsort(-loss, kind="stable")[:count]
    names = _names(dataset.classes, probabilities.shape[1])
    titles = [f"{names[probabilities[i].argmax()]} / {names[true[i]]}\n{loss[i]:.2f}" for i in worst]
    return pictures(dataset.batch(worst)[0], ax, titles=titles)
