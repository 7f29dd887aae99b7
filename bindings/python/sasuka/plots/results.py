"""What a network gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import DataLoader, Dataset
from ..errors import InvalidArgumentError, WrongStateError
from ..learner import Learner
from ._canvas import axes, mosaic, mosaic_axes, shown
from ._words import word


def _names(classes: Sequence[str], count: int) -> list[str]:
    return list(classes) if len(classes) == count else [str(number) for number in range(count)]


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
        true, predicted = true.valid.dataset.targets(), true.predict()
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
    ax = axes(ax, 0.55 * size + 2.2, 0.55 * size + 1.6)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    small = 7 if size > 12 else 9
    for row in range(size):
        for column in range(size):
            if counts[row, column] or row == column:
                text = f"{shares[row, column]:.2f}" if normalize else f"{int(counts[row, column])}"
                colour = "white" if shares[row, column] > 0.5 else "#333333"
                ax.text(column, row, text, ha="center", va="center", fontsize=small, color=colour)
    names = _names(classes, size)
    turned = max(map(len, names)) > 2
    ax.set_xticks(range(size), names, rotation=45 if turned else 0, ha="right" if turned else "center", fontsize=small)
    ax.set_yticks(range(size), names, fontsize=small)
    ax.set_xlabel(word("predicted"))
    ax.set_ylabel(word("true"))
    ax.tick_params(length=0)
    return ax


def pictures(
    batch: Any, ax: Any = None, *, titles: Sequence[str] = (), columns: int = 0
) -> Any:
    """Pictures [count, 1 or 3, height, width] in rows, with a title above each."""
    values = np.asarray(batch)
    ax = mosaic_axes(ax, len(values), columns, titled=bool(titles))
    mosaic(ax, [shown(picture) for picture in values], titles, columns)
    return ax


def top_losses(learner: Learner, count: int = 9, ax: Any = None, data: DataLoader | Dataset | None = None) -> Any:
    """The pictures that a classifier is most wrong about: predicted / true class, loss.

    Parameters
    ----------
    data : DataLoader or Dataset, optional
        By default the learner's validation data.
    """
    source = learner.valid if data is None else data
    dataset = source.dataset if isinstance(source, DataLoader) else source
    if dataset is None:
        raise InvalidArgumentError("the learner has no validation data; give top_losses some")
    true, probabilities = np.asarray(dataset.targets()).astype(int), learner.predict(source)
    loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12))
    worst = np.argsort(-loss, kind="stable")[:count]
    names = _names(dataset.classes, probabilities.shape[1])
    titles = [f"{names[probabilities[i].argmax()]} / {names[true[i]]}\n{loss[i]:.2f}" for i in worst]
    return pictures(dataset.batch(worst)[0], ax, titles=titles)
