"""What a `Learner` calls as it trains. A callback of one's own overrides the methods that it needs."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from . import _elsewhere
from ._library import PathLike
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .learner import Learner
else:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.CALLBACKS)

#: Numbers of an epoch, by name: epoch, train_loss, train_accuracy (of classes, as each step computes them), valid_loss,
#: valid_accuracy, valid_top5, lr, seconds, pictures_per_second.
Logs = dict[str, float]


class Callback:
    """Called by a `Learner`, which it may change; ``learner.stop = True`` ends training after the batch."""

    def on_fit_begin(self, learner: Learner) -> None:
        """Before the first batch; the trainer is made."""

    def on_epoch_begin(self, learner: Learner) -> None:
        """Before an epoch, `learner.epoch`."""

    def on_batch_begin(self, learner: Learner) -> None:
        """Before a training step, `learner.trainer.steps`."""

    def on_batch_end(self, learner: Learner, loss: float) -> None:
        """After a training step."""

    def on_epoch_end(self, learner: Learner, logs: Logs) -> None:
        """After an epoch and its validation; what is added to `logs` stands in the history."""

    def on_fit_end(self, learner: Learner) -> None:
        """After the last epoch, also where training was broken off by Ctrl-C or an error."""


class Monitor(Callback):
    """Watches one number of each epoch.

    Parameters
    ----------
    monitor : str
        Name of the number, such as "valid_loss".
    mode : {"min", "max"}, optional
        Whether less or more is better; by default more for accuracies, else less.
    min_delta : float
        What must be gained to count.
    """

    def __init__(self, monitor: str = "valid_loss", mode: str | None = None, min_delta: float = 0.0) -> None:
        if mode not in (None, "min", "max"):
            raise InvalidArgumentError(f"mode {mode!r}; 'min' or 'max' is expected")
        self.monitor, self.min_delta = monitor, min_delta
        self.sign = 1 if mode == "max" or (mode is None and ("accuracy" in monitor or "top5" in monitor)) else -1
        self.best, self.best_epoch = -math.inf, -1

    def on_fit_begin(self, learner: Learner) -> None:
        self.best, self.best_epoch = -math.inf, -1

    def improved(self, learner: Learner, logs: Logs) -> bool:
        """Whether this epoch is the best so far."""
        if self.monitor not in logs:
            raise InvalidArgumentError(f"{self.monitor!r} is none of the epoch's numbers: {', '.join(logs)}")
        value = self.sign * logs[self.monitor]
        if value <= self.best + self.min_delta or math.isnan(value):
            return False
        self.best, self.best_epoch = value, learner.epoch
        return True


class EarlyStopping(Monitor):
    """Ends training when a number has not become better for `patience` epochs.

    Parameters
    ----------
    restore_best : bool
        Whether the model gets back the weights of its best epoch.
    """

    def __init__(
        self,
        monitor: str = "valid_loss",
        patience: int = 3,
        mode: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = False,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.restore_best = patience, restore_best
        self._state: dict[str, Any] | None = None

    def on_epoch_end(self, learner: Learner, logs: Logs) -> None:
        if self.improved(learner, logs):
            self._state = learner.model.state_dict() if self.restore_best else None
        elif learner.epoch - self.best_epoch >= self.patience:
            learner.stop = True

    def on_fit_end(self, learner: Learner) -> None:
        state, self._state = self._state, None
        if state is not None:
            learner.model.load_state_dict(state)


class Checkpoint(Monitor):
    """Saves the weights after each epoch, or only after the best ones.

    Parameters
    ----------
    path : path
        .safetensors or .npz; may hold ``{epoch}`` and other numbers of the epoch, such as ``{valid_accuracy:.3f}``.
    """

    def __init__(
        self, path: PathLike, monitor: str = "valid_loss", mode: str | None = None, best_only: bool = True
    ) -> None:
        super().__init__(monitor, mode)
        self.path, self.best_only = os.fspath(path), best_only

    def on_epoch_end(self, learner: Learner, logs: Logs) -> None:
        if not self.best_only or self.improved(learner, logs):
            learner.model.save_weights(self.path.format(**{**logs, "epoch": learner.epoch}))


class TrainerCheckpoint(Callback):
    """Saves weights, optimiser state and counters after each epoch, from which ``fit(..., resume=path)`` goes on bit for bit."""

    def __init__(self, path: PathLike) -> None:
        self.path = path

    def on_epoch_end(self, learner: Learner, logs: Logs) -> None:
        learner.trainer.save_checkpoint(self.path)


class CSVLogger(Callback):
    """Writes the numbers of each epoch to a file as they come.

    Parameters
    ----------
    append : bool
        Whether to go on in a file that exists.
    """

    def __init__(self, path: PathLike, append: bool = False) -> None:
        self.path, self.append = Path(path), append
        self._names: list[str] = []

    def on_fit_begin(self, learner: Learner) -> None:
        self._names = []
        if self.append and self.path.exists():
            with open(self.path, newline="") as file:
                self._names = next(csv.reader(file), [])

    def on_epoch_end(self, learner: Learner, logs: Logs) -> None:
        first = not self._names
        if first:
            self._names = list(logs)
        with open(self.path, "w" if first else "a", newline="") as file:
            writer = csv.DictWriter(file, self._names, extrasaction="ignore")
            if first:
                writer.writeheader()
            writer.writerow(logs)


class Schedule(Callback):
    """The learning rate over the steps of a fit.

    Parameters
    ----------
    kind : str or callable
        "constant", "step", "multi_step", "cosine" or "one_cycle", computed by the engine over all steps of the fit; or a
        function that gives the rate for a share of the training done, from 0 to 1.
    **settings
        As `Trainer.set_schedule` takes them; `total_steps` is known here.
    """

    def __init__(self, kind: str | Callable[[float], float], **settings: Any) -> None:
        self.kind, self.settings = kind, settings

    def on_fit_begin(self, learner: Learner) -> None:
        if isinstance(self.kind, str):
            settings = dict(self.settings)
            if self.kind in ("cosine", "one_cycle"):
                settings.setdefault("total_steps", learner.total_steps)
            learner.trainer.set_schedule(self.kind, **settings)

    def on_batch_begin(self, learner: Learner) -> None:
        if not isinstance(self.kind, str):
            learner.trainer.lr = self.kind(learner.trainer.steps / learner.total_steps)


class LambdaCallback(Callback):
    """Functions instead of a class: ``LambdaCallback(on_epoch_end=lambda learner, logs: print(logs))``."""

    def __init__(self, **functions: Callable[..., None]) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = ", ".join(method for method in vars(Callback) if method.startswith("on_"))
                raise TypeError(f"{name!r} is no method of a callback; {known} are")
            setattr(self, name, function)
