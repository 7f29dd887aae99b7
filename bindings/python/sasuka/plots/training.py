"""Curves of training."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from ..errors import InvalidArgumentError, WrongStateError
from ..learner import History, Learner
from ..lr_finder import LearningRateFinder
from ._canvas import FIRST, GREY, SECOND, axes, recede
from .._words import word

if TYPE_CHECKING:
    from ..trainer import Trainer


def history(found: Union[History, Learner], ax: Any = None, metric: str = "loss") -> Any:
    """A number of each epoch, in training and in validation.

    Parameters
    ----------
    metric : str
        "loss", "accuracy" or "top5".
    """
    rows = found if isinstance(found, History) else found.history
    if len(rows) == 0:
        raise WrongStateError("the history holds no epoch; train first")
    known = sorted({name.partition("_")[2] for row in rows for name in row if name.startswith(("train_", "valid_"))})
    if metric not in known:
        raise InvalidArgumentError(f"metric {metric!r}; the history holds {', '.join(map(repr, known))}")
    ax = recede(axes(ax))
    epochs = rows.column("epoch") if len(set(rows.column("epoch"))) == len(rows) else np.arange(len(rows))
    for part, colour, name in (("train", FIRST, word("training")), ("valid", SECOND, word("validation"))):
        values = rows.column(f"{part}_{metric}")
        if np.isfinite(values).any():
            ax.plot(epochs + 1, values, color=colour, linewidth=2, marker="o", markersize=4, label=name)
    ax.set_xlabel(word("epoch"))
    ax.set_ylabel(word(metric))
    _number(ax, len(rows))
    ax.legend(frameon=False)
    return ax


def _number(ax: Any, count: int) -> None:
    """Whole numbers below epochs or steps, even where there is one only."""
    ax.xaxis.get_major_locator().set_params(integer=True)
    if count == 1:
        ax.set_xlim(0.5, 1.5)
        ax.set_xticks([1])


def losses(learner: Learner, ax: Any = None, smoothing: float = 0.9) -> Any:
    """The loss of every training step, and its exponential average."""
    _expect_steps(learner)
    ax = recede(axes(ax))
    steps = np.arange(1, len(learner.losses) + 1)
    # What is not finite has no part in the average.
    average, weight, smooth = 0.0, 0.0, []
    for loss in learner.losses:
        if isfinite(loss):
            average = smoothing * average + (1 - smoothing) * loss
            weight = smoothing * weight + (1 - smoothing)
        smooth.append(average / weight if weight else np.nan)
    point = {"marker": "o"} if len(steps) == 1 else {}
    ax.plot(steps, learner.losses, color=FIRST, linewidth=0.8, alpha=0.35, label=word("each step"))
    ax.plot(steps, smooth, color=FIRST, linewidth=2, label=word("average"), **point)
    ax.set_xlabel(word("step"))
    ax.set_ylabel(word("training loss"))
    _number(ax, len(steps))
    ax.legend(frameon=False)
    return ax


def _expect_steps(learner: Learner) -> None:
    if not learner.losses:
        raise WrongStateError("the learner has made no step; train first")


def learning_rates(learner: Learner, ax: Any = None) -> Any:
    """The learning rate of every training step."""
    _expect_steps(learner)
    ax = recede(axes(ax))
    point = {"marker": "o"} if len(learner.rates) == 1 else {}
    ax.plot(np.arange(1, len(learner.rates) + 1), learner.rates, color=FIRST, linewidth=2, **point)
    _number(ax, len(learner.rates))
    ax.set_xlabel(word("step"))
    ax.set_ylabel(word("learning rate"))
    ax.set_ylim(bottom=0)
    return ax


def lr_find(finder: LearningRateFinder, ax: Any = None) -> Any:
    """The smoothed loss over the learning rate, and the rate that it suggests, if the loss falls at all."""
    ax = recede(axes(ax))
    ax.plot(finder.rates, finder.losses, color=FIRST, linewidth=0.8, alpha=0.35)
    ax.plot(finder.rates, finder.smoothed, color=FIRST, linewidth=2)
    with suppress(WrongStateError):
        suggestion = finder.suggestion
        loss = finder.smoothed[finder.rates.index(suggestion)]
        ax.plot([suggestion], [loss], "o", color=SECOND, markersize=8)
        ax.annotate(
            f"{suggestion:.1e}", (suggestion, loss), xytext=(8, 8), textcoords="offset points", color=SECOND, weight="bold"
        )
    finite = [value for value in finder.smoothed if np.isfinite(value)]
    if finite and min(finite) < finite[0]:
        low, first = min(finite), finite[0]
        # What explodes at the end would flatten the part that matters.
        ax.set_ylim(low - 0.1 * (first - low), first + 0.5 * (first - low))
    ax.set_xscale("log")
    ax.set_xlabel(word("learning rate"))
    ax.set_ylabel(word("loss"))
    return ax


def gradient_norms(gradients: Union[Trainer, Mapping[str, np.ndarray]], ax: Any = None) -> Any:
    """The norm of each weight's gradient, from the input to the output: whether they vanish on the way back.

    Weights of convolutions and linear layers are shown; those of normalisations are of another size.

    Parameters
    ----------
    gradients : Trainer or mapping
        A trainer after `forward_backward` or `step`, or names with their gradients.
    """
    named: Mapping[str, np.ndarray] = gradients if isinstance(gradients, Mapping) else gradients.gradients()
    norms = {
        name.rpartition(".")[0]: float(np.linalg.norm(np.asarray(value, dtype=np.float64)))
        for name, value in named.items()
        if value.ndim > 1
    }
    if not norms:
        raise InvalidArgumentError(f"none of {len(named)} gradients is of a convolution or a linear layer")
    ax = recede(axes(ax, min(max(6.4, 0.2 * len(norms) + 1.5), 14)))
    ax.plot(np.arange(len(norms)), list(norms.values()), color=FIRST, linewidth=1.5, marker="o", markersize=4)
    ax.set_yscale("log")
    ax.set_xticks(np.arange(len(norms)), list(norms), rotation=90, fontsize=6 if len(norms) > 24 else 9)
    ax.set_ylabel(word("norm of the gradient"))
    ax.tick_params(axis="x", colors=GREY)
    return ax
