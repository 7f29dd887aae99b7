"""How high the learning rate may be: losses over rising rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import WrongStateError

#: Share of the past in the smoothed loss.
SMOOTHING = 0.9
#: Steps over which a fall is measured.
WINDOW = 10


def exponential_rates(start: float, end: float, steps: int) -> list[float]:
    """`steps` rates from `start` to `end`, each the same factor above the last."""
    return [float(rate) for rate in np.geomspace(start, end, steps)]


class LearningRateFinder:
    """Losses over rising learning rates, and what they suggest."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        #: The losses, averaged exponentially.
        self.smoothed: list[float] = []
        self._average = 0.0

    def add(self, rate: float, loss: float) -> None:
        """One step's rate and the loss before it."""
        self.rates.append(rate)
        self.losses.append(loss)
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        # The average starts from 0, which this takes out (Kingma and Ba 2014).
        self.smoothed.append(self._average / (1 - SMOOTHING ** len(self.losses)))

    def exploded(self, times: float) -> bool:
        """Whether the loss is no number, or many times its lowest."""
        now = self.smoothed[-1]
        return not math.isfinite(now) or (len(self.smoothed) > 10 and now > times * min(self.smoothed))

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate, before its lowest point.

        A fall is measured over ten steps, since batches differ; the first ten, where hardly anything is learnt, do not count.
        """
        losses = np.array([loss for loss in self.smoothed if math.isfinite(loss)])
        lowest = int(np.argmin(losses)) if len(losses) else 0
        begins = np.arange(10, lowest - WINDOW + 1)
        falls = losses[begins] - losses[begins + WINDOW]
        if len(falls) == 0 or falls.max() <= 0:
            raise WrongStateError(
                f"the loss does not fall with the learning rate (lowest at step {lowest} of {len(self.rates)}); "
                "start from a lower one, or take more steps"
            )
        return self.rates[int(begins[np.argmax(falls)]) + WINDOW // 2]

    def plot(self, ax: Any = None) -> Any:
        """Draws them, with the suggestion; returns the axes."""
        from .plots import lr_find

        return lr_find(self, ax)

    def __repr__(self) -> str:
        return f"LearningRateFinder({len(self.rates)} steps, {self.rates[:1]} to {self.rates[-1:]})"
