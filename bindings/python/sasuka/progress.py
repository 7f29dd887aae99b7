"""Progress bars by tqdm, where somebody watches."""

from __future__ import annotations

import sys
import warnings
from math import isfinite, nan
from types import TracebackType
from typing import Any, Optional

from ._optional import require


def _watched() -> bool:
    """Whether a person looks: a terminal, or a notebook's kernel."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _bar_class(wanted: bool | None) -> Any:
    """tqdm's class, or None where no bar is to be shown."""
    if wanted is False or (wanted is None and not _watched()):
        return None
    try:
        with warnings.catch_warnings():
            # In a notebook without ipywidgets it says how to have them; the bar made of letters does as well.
            warnings.simplefilter("ignore")
            return require("tqdm.auto", "progress", "showing progress").tqdm
    except ImportError:
        if wanted:
            raise
        return None


class Progress:
    """The bar of an epoch or of a search: batches done, loss, accuracy, pictures per second and the time left.

    Parameters
    ----------
    wanted : bool, optional
        None: only where standard error is a terminal, or in a notebook, and tqdm is installed.
    """

    def __init__(self, wanted: Optional[bool], description: str, pictures: int) -> None:
        kind = _bar_class(wanted)
        self._bar = None if kind is None else kind(total=pictures, desc=description, unit="pictures", unit_scale=True)

    def advance(self, pictures: int, loss: float, accuracy: Optional[float] = None) -> None:
        """After a batch: its pictures, the loss so far and, where classes are learnt, the accuracy."""
        if self._bar is not None:
            learnt = "" if accuracy is None else f", accuracy {accuracy:.4f}"
            self._bar.set_postfix_str(f"loss {loss:.4f}{learnt}", refresh=False)
            self._bar.update(pictures)

    def finish(self, values: dict[str, float]) -> None:
        """The epoch's numbers, which stay on the screen in place of the bar: a terminal of 80 columns has room for them."""
        if self._bar is not None:
            self._bar.bar_format = "{desc}: {elapsed}{postfix}"
            self._bar.set_postfix_str(", ".join(_told(values, metric) for metric in ("loss", "accuracy") if _has(values, metric)))

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _has(values: dict[str, float], metric: str) -> bool:
    return f"train_{metric}" in values or isfinite(values.get(f"valid_{metric}", nan))


def _told(values: dict[str, float], metric: str) -> str:
    """ "loss 0.2134 (valid 0.3021)" """
    train, valid = values.get(f"train_{metric}"), values.get(f"valid_{metric}", nan)
    learnt = "" if train is None else f" {train:.4g}"
    return metric + learnt + (f" (valid {valid:.4g})" if isfinite(valid) else "")
