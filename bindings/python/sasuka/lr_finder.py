"""How high the learning rate may be: losses over rising rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import WrongStateError

#: Share of the past in the smoothed loss.
SMOOTHING = 0.9


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
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate, before its lowest point."""
        finite = [loss for loss in self.smoothed if math.isfinite(loss)]
        lowest = int(np.argmin(finite)) if finite else 0
        if lowest < 2:
            raise WrongStateError(
                f"the loss does not fall with the learning rate (lowest at step {lowest} of {len(self.rates)}); "
                "start from a lower one"
            )
        slopes = np.gradient(np.array(finite[: lowest + 1]), np.log(self.rates[: lowest + 1]))
        return self.rates[int(np.argmin(slopes))]

    def plot(self, ax: Any = None) -> Any:
        """Draws them, with the suggestion; returns the axes."""
        from .plots import lr_find

        return lr_find(self, ax)

    def __repr__(self) -> str:
        return f"LearningRateFinder({len(self.rates)} steps, suggestion {self.suggestion:.2e})"
