"""Training from end to end: a model, its data, and loops over epochs."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from . import _elsewhere
from ._library import PathLike
from ._words import word
from .callbacks import Callback, Logs, Schedule
from .data import DataLoader, Dataset, SupportsBatches, SupportsPairs, as_loader, gives_pairs
from .errors import InvalidArgumentError, WrongStateError
from .lr_finder import LearningRateFinder, exponential_rates
from .model import Model, PathOrBytes, hinted
from .progress import Progress
from .tensors import TensorLike, as_array
from .trainer import Evaluation, Trainer, check_settings, expect_model
from .transforms import Batch, Mixup, scaled

#: Highest rate of a head that `fine_tune` adapts, unless it is told another.
FINE_TUNING_RATE = 2e-3
#: Steps of the search for a learning rate.
FINDER_STEPS = 100

Group = tuple[str, dict[str, Any]]
Data = Union[DataLoader, Dataset, tuple[Any, Any], SupportsPairs, SupportsBatches]


class History(list[Logs]):
    """The numbers of each epoch, in order."""

    if not TYPE_CHECKING:  # A type checker knows the attributes without it.
        __getattr__ = _elsewhere.of_object(_elsewhere.HISTORY)

    def column(self, name: str) -> np.ndarray:
        """One number over the epochs, such as "valid_loss"; NaN where an epoch has none."""
        return np.array([row.get(name, math.nan) for row in self])

    @property
    def names(self) -> list[str]:
        """Names of the numbers."""
        return list(dict.fromkeys(name for row in self for name in row))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{word(name.replace('_', ' '))}</th>" for name in self.names)
        rows = ["".join(f"<td>{row[name]:.4g}</td>" if name in row else "<td></td>" for name in self.names) for row in self]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</table>"

    def to_csv(self, path: PathLike) -> None:
        """Writes them as a table."""
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, self.names)
            writer.writeheader()
            writer.writerows(self)


class Learner:
    """Trains a model on data.

    Parameters
    ----------
    model : Model
    train : DataLoader, Dataset or (pictures, labels)
        What is no DataLoader becomes one that shuffles. PyTorch's loaders and data sets are taken, too.
    valid : DataLoader, Dataset or (pictures, labels), optional
        Evaluated after each epoch.
    optimizer : {"adamw", "adam", "sgd", "rmsprop"}
    lr : float
        The rate where `fit` is given none.
    callbacks : sequence of Callback
        For every fit.
    batch_size : int
        Of the loaders that are made here.
    seed : int
        Of their order, and of dropout.
    mixup : float
        Blends each training picture with another of its batch, and their classes, by a share that follows
        Beta(mixup, mixup); 0: not at all. 0.2 is usual. See `transforms.Mixup`.
    progress : bool, optional
        Show a bar: by default in terminals and notebooks where tqdm is installed.
    **trainer
        The other settings of `Trainer`: loss, momentum, weight_decay, label_smoothing, clip_norm, ...

    Examples
    --------
    >>> learner = sasuka.Learner(model, (pictures, labels), valid=(more, their_labels))
    >>> learner.fit_one_cycle(3, learner.lr_find().suggestion)
    >>> learner.evaluate().accuracy
    """

    if not TYPE_CHECKING:  # A type checker knows the attributes without it.
        __getattr__ = _elsewhere.of_object(_elsewhere.LEARNER)

    @_elsewhere.arguments_of(_elsewhere.LEARN)
    def __init__(
        self,
        model: Model,
        train: Data,
        valid: Data | None = None,
        *,
        optimizer: str = "adamw",
        lr: float = 1e-3,
        callbacks: Sequence[Callback] = (),
        batch_size: int = 32,
        seed: int = 0,
        mixup: float = 0.0,
        progress: Optional[bool] = None,
        **trainer: Any,
    ) -> None:
        expect_model(model)
        check_settings(optimizer, trainer)
        self.model, self.optimizer, self.lr, self.seed = model, optimizer, lr, seed
        self.batch_size, self.progress, self.settings = batch_size, progress, trainer
        self.train = self._loader(train, shuffle=True)
        if mixup != 0:
            self.train = self.train.followed_by(Mixup(mixup, model.output_shape((1, *model.input_shape))[1]))
        self.valid = None if valid is None else self._loader(valid, shuffle=False)
        self.callbacks = list(callbacks)
        #: Of all fits.
        self.history = History()
        #: Loss and learning rate of each training step of all fits.
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.epoch, self.total_steps, self.stop = 0, 0, False
        self._trainer: Trainer | None = None
        #: Beside what the model says is frozen: patterns, and what `Trainer.add_group` is told of them.
        self._groups: list[Group] = []

    def _loader(self, data: Data, shuffle: bool) -> DataLoader:
        return as_loader(data, self.batch_size, shuffle, self.seed)

    @property
    def trainer(self) -> Trainer:
        """The trainer of the running or the last fit."""
        if self._trainer is None:
            raise WrongStateError("nothing was trained yet; call fit first")
        return self._trainer

    def _new_trainer(self, lr: float) -> Trainer:
        if self._trainer is not None:
            self._trainer.close()
        self._trainer = self._trainer_for(self.model, lr)
        return self._trainer

    def _trainer_for(self, model: Model, lr: float) -> Trainer:
        settings = {"seed": self.seed, **self.settings}
        trainer = Trainer(model, self.optimizer, lr, **settings)
        for pattern, group in self._groups:
            trainer.add_group(pattern, **group)
        return trainer

    def __repr__(self) -> str:
        held_out = "no validation data" if self.valid is None else f"{len(self.valid.dataset)} to validate on"
        return f"Learner({self.model!r}, {len(self.train.dataset)} pictures, {held_out}, {len(self.history)} epochs trained)"

    def _check_train(self) -> None:
        if len(self.train) == 0:
            raise InvalidArgumentError("the training data has no batch")

    # ---- What is trained

    def freeze(self, pattern: str = "*", *, except_for: str | None = None) -> None:
        """Leaves parameters of the model whose names match as they are in the fits to come, but for those of `except_for`.

        >>> learner.freeze(except_for="fc.*")
        """
        self.model.freeze(pattern)
        if except_for is not None:
            self.model.unfreeze(except_for)

    def unfreeze(self, pattern: str = "*") -> None:
        """Trains parameters of the model whose names match again."""
        self.model.unfreeze(pattern)

    def head(self) -> str:
        """The pattern of the last layer's parameters, such as "fc.*"."""
        names = [name for name, _, kind in self.model.parameters() if kind == "weight"]
        return names[-1].rpartition(".")[0] + ".*"

    # ---- Training

    @_elsewhere.arguments_of(_elsewhere.FIT)
    def fit(
        self,
        epochs: int,
        lr: float | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        resume: PathOrBytes | None = None,
    ) -> History:
        """Trains for some epochs with a new optimiser; returns the history of these epochs.

        Ctrl-C stops within 100 ms; weights and history are then those after the last whole step and epoch.

        Parameters
        ----------
        lr : float, optional
            The rate, or what a schedule starts from.
        callbacks : sequence of Callback
            For this fit, beside the learner's own.
        resume : path or bytes, optional
            What a `TrainerCheckpoint` saved in a fit of as many epochs: training goes on bit for bit behind its epoch.
        """
        if not isinstance(epochs, (int, np.integer)):
            raise TypeError(f"epochs is a {type(epochs).__name__}; a whole number is expected: pictures and labels are the learner's own")
        if epochs < 1:
            raise InvalidArgumentError(f"epochs is {epochs}; at least 1 is expected")
        self._check_train()
        trainer = self._new_trainer(self.lr if lr is None else lr)
        self.total_steps, self.stop, begin = epochs * len(self.train), False, 0
        if resume is not None:
            trainer.load_checkpoint(resume)
            begin = trainer.steps // len(self.train)
        everyone = [*self.callbacks, *callbacks]
        history = History()
        try:
            for callback in everyone:
                callback.on_fit_begin(self)
            for self.epoch in range(begin, epochs):
                self.train.epoch = self.epoch
                logs = self._epoch(trainer, everyone, epochs)
                for callback in everyone:
                    callback.on_epoch_end(self, logs)
                history.append(logs)
                self.history.append(logs)
                if self.stop:
                    break
        finally:
            for callback in everyone:
                callback.on_fit_end(self)
        return history

    def _epoch(self, trainer: Trainer, callbacks: list[Callback], epochs: int) -> Logs:
        for callback in callbacks:
            callback.on_epoch_begin(self)
        begun, seen, total, right = time.perf_counter(), 0, 0.0, RightAnswers()
        with Progress(self.progress, f"epoch {self.epoch + 1}/{epochs}", len(self.train.dataset)) as progress:
            for x, target in self.train:
                for callback in callbacks:
                    callback.on_batch_begin(self)
                self.rates.append(trainer.lr)
                loss = trainer.step(x, target)
                self.losses.append(loss)
                seen, total = seen + len(x), total + loss * len(x)
                right.count(trainer, target)
                for callback in callbacks:
                    callback.on_batch_end(self, loss)
                progress.advance(len(x), total / seen, right.share)
                if self.stop:
                    break
            seconds = time.perf_counter() - begun
            logs: Logs = {"epoch": self.epoch, "train_loss": total / seen}
            if right.share is not None:
                logs["train_accuracy"] = right.share
            if self.valid is not None:
                found = self._evaluate(trainer, self.valid)
                logs.update(valid_loss=found.loss, valid_accuracy=found.accuracy, valid_top5=found.top5)
            logs.update(lr=self.rates[-1], seconds=seconds, pictures_per_second=seen / seconds)
            shown = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
            progress.finish({name: logs[name] for name in shown if name in logs})
        return logs

    def fit_one_cycle(
        self, epochs: int, lr_max: float | None = None, *, callbacks: Sequence[Callback] = (), **settings: Any
    ) -> History:
        """Trains with the learning rate going up to `lr_max` and down over all steps (Smith 2018, Super-Convergence).

        Parameters
        ----------
        **settings
            Of the schedule: rise (0.3), initial_divisor (25), final_divisor (1e4), linear, three_phase, ...
        """
        maximum = self.lr if lr_max is None else lr_max
        schedule = Schedule("one_cycle", maximum=maximum, **settings)
        return self.fit(epochs, maximum, callbacks=[schedule, *callbacks])

    def fine_tune(
        self, epochs: int, lr: float = FINE_TUNING_RATE, *, freeze_epochs: int = 1, head: str | None = None, lr_factor: float = 0.1
    ) -> History:
        """Adapts a trained network: first the head alone, then everything at half the rate, what is below the head slower.

        Parameters
        ----------
        head : str, optional
            Pattern of the head's parameters; by default the last layer's.
        lr_factor : float
            Of the rate below the head, in the second part.
        """
        pattern = head or self.head()
        # What the model says is frozen stays so in both parts.
        frozen: list[Group] = [(name, {"frozen": True}) for name in self.model.frozen()]
        try:
            self._groups = [("*", {"frozen": True}), (pattern, {}), *frozen]
            history = self.fit_one_cycle(freeze_epochs, lr) if freeze_epochs > 0 else History()
            self._groups = [("*", {"lr_factor": lr_factor}), (pattern, {}), *frozen]
            history.extend(self.fit_one_cycle(epochs, lr / 2))
        finally:
            self._groups = []
        return history

    def lr_find(
        self, start: float = 1e-7, end: float = 10.0, steps: int = FINDER_STEPS, diverged: float = 4.0
    ) -> LearningRateFinder:
        """Trains with a rising learning rate until the loss explodes, and leaves weights and data as they were (Smith 2017).

        Parameters
        ----------
        start, end : float
            Rates of the first and the last step.
        steps : int
            At least 20.
        diverged : float
            Ends when the smoothed loss is this many times its lowest.
        """
        if steps < 20 or not 0 < start < end:
            raise InvalidArgumentError(
                f"start is {start}, end is {end} and steps is {steps}; 0 < start < end and at least 20 steps are expected"
            )
        self._check_train()
        # On copies: whatever stops the search, there is nothing to put back, which would take long for a large network.
        finder, batches = LearningRateFinder(), _endless(copy(self.train))
        progress = Progress(self.progress, "lr_find", steps * self.train.batch_size)
        with progress, deepcopy(self.model) as model, self._trainer_for(model, start) as trainer:
            for rate in exponential_rates(start, end, steps):
                x, target = next(batches)
                trainer.lr = rate
                finder.add(rate, trainer.step(x, target))
                progress.advance(len(x), finder.smoothed[-1])
                if finder.exploded(diverged):
                    break
            progress.finish({"train_loss": min(finder.smoothed)})
        return finder

    # ---- Asking

    def _evaluate(self, trainer: Trainer, data: DataLoader) -> Evaluation:
        loss = accuracy = top5 = 0.0
        count = 0
        for x, target in data:
            found = trainer.evaluate(x, target)
            loss += found.loss * found.samples
            accuracy += found.accuracy * found.samples
            top5 += found.top5 * found.samples
            count += found.samples
        if count == 0:
            raise InvalidArgumentError("the data has no picture that counts")
        return Evaluation(loss / count, accuracy / count, top5 / count, count)

    def evaluate(self, data: Data | None = None) -> Evaluation:
        """Mean loss, accuracy and top-5 accuracy of the validation data, or of other data."""
        if data is None and self.valid is None:
            raise WrongStateError("the learner has no validation data; give evaluate some")
        loader = self.valid if data is None else self._loader(data, shuffle=False)
        assert loader is not None
        trainer = self._trainer if self._trainer is not None else self._new_trainer(self.lr)
        return self._evaluate(trainer, loader)

    def predict(self, data: Union[DataLoader, Dataset, TensorLike, None] = None) -> np.ndarray:
        """The classes' probabilities [count, classes]: softmax of the logits, or for other losses than cross-entropy the
        model's result as it is.

        Parameters
        ----------
        data : DataLoader, Dataset or pictures, optional
            By default the validation data. Pictures of bytes are scaled to 0 to 1; [count, height, width] have one channel.
        """
        self.model.eval()
        results = [self.model(x) for x in self._pictures(data)]
        if not results:
            raise InvalidArgumentError("the data has no pictures")
        logits = np.concatenate(results)
        return logits if self.settings.get("loss", "cross_entropy") != "cross_entropy" else softmax(logits)

    def _pictures(self, data: Any) -> Iterator[np.ndarray]:
        if data is None:
            if self.valid is None:
                raise WrongStateError("the learner has no validation data; give predict some")
            data = self.valid
        if isinstance(data, (DataLoader, Dataset)) or hasattr(data, "dataset") or gives_pairs(data):
            return (x for x, _ in self._loader(data, shuffle=False))
        if isinstance(data, (str, os.PathLike)):
            raise TypeError(f"data is a path; pictures are expected: sasuka.Bundle(...).predict([{os.fspath(data)!r}]) opens files")
        pictures = as_array(data)
        expected = self.model.input_shape
        if pictures.ndim == 3 == len(expected) and expected[0] == 1:
            # As a data set reads [count, height, width].
            pictures = pictures[:, np.newaxis]
        if pictures.ndim != len(expected) + 1:
            error = InvalidArgumentError(f"pictures have shape {list(pictures.shape)}; {['n', *expected]} is expected".replace("'", ""))
            raise hinted(error, pictures, expected)
        starts = range(0, len(pictures), self.batch_size)
        return (scaled(pictures[start : start + self.batch_size]) for start in starts)


def _endless(loader: DataLoader) -> Iterator[Batch]:
    while True:
        yield from loader


class RightAnswers:
    """Counts as training goes how many pictures' classes have the highest logits, each as its own step computes them."""

    def __init__(self) -> None:
        self._right = self._counted = 0

    def count(self, trainer: Trainer, target: Any) -> None:
        """After a step. Other losses than cross-entropy are left out, and answers for each pixel, which take long to count."""
        classes = np.asarray(target)
        if classes.ndim == 2 and classes.dtype.kind == "f":
            classes = classes.argmax(axis=1)
        if trainer.loss != "cross_entropy" or classes.ndim != 1:
            return
        counts = classes != trainer.ignore_index
        self._right += int(np.count_nonzero((trainer.output().argmax(axis=1) == classes) & counts))
        self._counted += int(np.count_nonzero(counts))

    @property
    def share(self) -> Optional[float]:
        """Of those that count; None where there are none."""
        return self._right / self._counted if self._counted else None


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(logits) over its sum along axis 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
