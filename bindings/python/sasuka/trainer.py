"""Training, step by step."""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import math
import os
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_double, c_float, c_size_t, c_void_p
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _elsewhere
from ._interrupts import Interruptible
from ._library import Evaluation as _Evaluation
from ._library import Owner, ScheduleOptions, TrainOptions, defaults, lib, name_list, read_bytes, sizes
from .errors import InvalidArgumentError, NotFoundError
from .model import Model, PathOrBytes, hinted
from .tensors import TensorLike, borrow_input, borrow_labels, borrow_output, read_feature

OPTIMIZERS = {"sgd": 0, "adam": 1, "adamw": 2, "rmsprop": 3}
LOSSES = {"cross_entropy": 0, "mean_squared_error": 1, "binary_cross_entropy_with_logits": 2}
SCHEDULES = {"constant": 0, "step": 1, "multi_step": 2, "cosine": 3, "one_cycle": 4}


class Evaluation(NamedTuple):
    """What an evaluation found."""

    #: Mean loss of the samples.
    loss: float
    #: Share of the samples whose class has the highest logit; NaN for losses without classes.
    accuracy: float
    #: Share of the samples whose class is among the five highest.
    top5: float
    samples: int


class Trainer(Owner):
    """Trains a model: owns gradients, optimiser state and schedule.

    Parameters
    ----------
    model : Model
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}
        With PyTorch's defaults for whatever is None.
    lr : float, optional
    loss : {"cross_entropy", "mean_squared_error", "binary_cross_entropy_with_logits"}
    betas : (float, float), optional
        Adam's.
    alpha, centered
        RMSprop's.
    label_smoothing, class_weights, ignore_index
        Cross-entropy's.
    clip_norm, clip_value : float
        Most that the norm of all gradients, or one gradient, may be; 0 is no limit.
    seed : int
        Of dropout.
    threads : int
        0: as the model.
    from_module : str, optional
        Train only what lies behind this module, from what it computes: ``model.features(x, from_module)``, computed once,
        takes the place of pictures in steps and evaluations. The parameters are the model's own; those before the module
        stay as they are. Augmentation and dropout before it cannot vary from epoch to epoch: the features are those of
        evaluation mode, one for each picture.
    """

    _destroy = "trainer_destroy"

    if not TYPE_CHECKING:  # A type checker knows the attributes without it.
        __getattr__ = _elsewhere.of_object(_elsewhere.TRAINER)

    def __init__(
        self,
        model: Model,
        optimizer: str = "sgd",
        lr: float | None = None,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        betas: tuple[float, float] | None = None,
        eps: float | None = None,
        alpha: float | None = None,
        centered: bool = False,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
        class_weights: ArrayLike | None = None,
        ignore_index: int = -100,
        clip_norm: float = 0.0,
        clip_value: float = 0.0,
        seed: int = 0,
        threads: int = 0,
        from_module: str | None = None,
    ) -> None:
        expect_model(model)
        self.model, self.loss, self.ignore_index = model, loss, ignore_index
        self._interruptible = Interruptible()
        options = defaults(TrainOptions, "sasuka_train_options_init", _number(optimizer, OPTIMIZERS, "optimizer"))
        options.loss = _number(loss, LOSSES, "loss")
        options.momentum, options.dampening, options.nesterov = momentum, dampening, nesterov
        options.centered, options.label_smoothing, options.ignore_index = centered, label_smoothing, ignore_index
        options.clip_norm, options.clip_value, options.seed, options.threads = clip_norm, clip_value, seed, threads
        given = {"learning_rate": lr, "weight_decay": weight_decay, "epsilon": eps, "alpha": alpha}
        for name, value in given.items():
            if value is not None:
                setattr(options, name, value)
        if betas is not None:
            options.beta1, options.beta2 = betas
        if class_weights is not None:
            weights = np.ascontiguousarray(class_weights, dtype=np.float32)
            options.class_weights = weights.ctypes.data_as(POINTER(c_float))
            options.class_weight_count = weights.size
        if from_module is not None:
            options.from_module = from_module.encode()
        options.progress = self._interruptible.callback
        handle = c_void_p()
        lib.sasuka_trainer_create(model._handle, ctypes.byref(options), ctypes.byref(handle))
        self._handle = handle
        for pattern, frozen in model._freezing:
            self.add_group(pattern, frozen=frozen)

    def __repr__(self) -> str:
        if self._closed:
            return "Trainer(closed)"
        return f"Trainer({self.model!r}, loss={self.loss!r}, lr={self.lr:g}, {self.steps} steps)"

    def step(self, x: TensorLike, target: TensorLike) -> float:
        """One whole step: gradients from zero, forward, backward, update. Returns the loss.

        Parameters
        ----------
        target : array_like or tensor
            For cross-entropy integers [batch, ...], the classes, or floats [batch, classes, ...], their probabilities, as
            mixup and distillation make them: ``-(p * log_softmax(logits)).sum(1).mean()``, with smoothing and weights as
            PyTorch's. For the other losses numbers of the result's shape.
        """
        return self._run(lib.sasuka_trainer_step, x, target)

    def forward_backward(self, x: TensorLike, target: TensorLike) -> float:
        """Forward in training mode, loss, backward; adds to the gradients. Returns the loss."""
        return self._run(lib.sasuka_trainer_forward_backward, x, target)

    def _run(self, function: Any, x: TensorLike, target: TensorLike) -> float:
        given, wanted, loss = borrow_input(x), borrow_labels(target), c_double()
        try:
            self._interruptible.call(function, self._handle, given.pointer, wanted.pointer, ctypes.byref(loss))
        except InvalidArgumentError as error:
            raise hinted(error, given.array, self.model.input_shape) from None
        return loss.value

    def forward(self, x: TensorLike) -> np.ndarray:
        """The network's result as training computes it, without a loss: dropout is on, and BatchNorm uses the batch's
        statistics and updates its running ones."""
        given = borrow_input(x)
        out = np.empty(self.model.output_shape(given.array.shape), dtype=np.float32)
        self._interruptible.call(lib.sasuka_trainer_forward, self._handle, given.pointer, borrow_output(out).pointer)
        return out

    def watch(self, modules: Sequence[str]) -> None:
        """Says of which modules `feature` and `feature_gradient` tell after a pass, in place of those named before.

        Parameters
        ----------
        modules : sequence of str
            Layers by name, such as ``"layer1.0.conv1"``, or groups of layers, such as ``"layer1"``; ``"input"`` is the input.

        >>> trainer.watch(["layer1", "layer4"])
        >>> trainer.step(pictures, labels)
        >>> np.abs(trainer.feature_gradient("layer1")).mean()
        """
        lib.sasuka_trainer_watch(self._handle, *name_list(modules))

    def feature(self, name: str) -> np.ndarray:
        """What a module that is watched computed in the last step, forward or forward_backward."""
        return self._feature(lib.sasuka_trainer_feature, name)

    def feature_gradient(self, name: str) -> np.ndarray:
        """The gradient of the last loss with respect to what a module that is watched computed."""
        return self._feature(lib.sasuka_trainer_feature_gradient, name)

    def _feature(self, function: Any, name: str) -> np.ndarray:
        return read_feature(lib.sasuka_trainer_feature_shape, function, self._handle, name)

    def output(self) -> np.ndarray:
        """The network's result in the last step, forward or forward_backward, before the update: logits [batch, classes, ...]."""
        return self._feature(lib.sasuka_trainer_feature, "output")

    def zero_gradients(self) -> None:
        """Sets all gradients to 0."""
        lib.sasuka_trainer_zero_gradients(self._handle)

    def update(self) -> None:
        """Clips the gradients and changes the weights."""
        lib.sasuka_trainer_update(self._handle)

    def evaluate(self, x: TensorLike, target: TensorLike) -> Evaluation:
        """Loss and accuracy of a batch in evaluation mode."""
        given, wanted, found = borrow_input(x), borrow_labels(target), _Evaluation()
        self._interruptible.call(
            lib.sasuka_trainer_evaluate, self._handle, given.pointer, wanted.pointer, ctypes.byref(found)
        )
        count = found.samples or math.nan
        return Evaluation(found.loss_sum / count, found.top1 / count, found.top5 / count, found.samples)

    def gradients(self) -> dict[str, np.ndarray]:
        """Name -> the gradient where it lies: what is written there, the next update uses.

        The arrays keep the trainer from being collected; after `close` they must not be used.
        """
        start, count, offset = POINTER(c_float)(), c_size_t(), c_size_t()
        lib.sasuka_trainer_gradients(self._handle, ctypes.byref(start), ctypes.byref(count))
        if count.value == 0:
            return {}
        memory = (c_float * count.value).from_address(ctypes.addressof(start.contents))
        memory.trainer = self  # type: ignore[attr-defined]  # Every view's base is this object.
        everything = np.ctypeslib.as_array(memory)
        views = {}
        for name, shape, kind in self.model.parameters():
            if kind == "weight":
                lib.sasuka_trainer_gradient_offset(self._handle, name.encode(), ctypes.byref(offset))
                size = math.prod(shape)
                views[name] = everything[offset.value : offset.value + size].reshape(shape)
        return views

    def gradient_norms(self, by: str = "parameter") -> dict[str, float]:
        """Name -> norm of the gradient, of each parameter or each layer; after an update, as it has clipped them.

        Parameters
        ----------
        by : {"parameter", "layer"}
            A layer's norm is that of all its parameters together. What is frozen has norm 0.
        """
        if by not in ("parameter", "layer"):
            raise ValueError(f"by {by!r}; 'parameter' or 'layer' is expected")
        norms: dict[str, float] = {}
        for name, _, kind in self.model.parameters():
            if kind == "weight":
                layer = name.rpartition(".")[0] if by == "layer" else name
                norms[layer] = math.hypot(norms.get(layer, 0.0), self.gradient_norm(name))
        return norms

    def gradient_norm(self, pattern: str = "*") -> float:
        """The norm of the gradients of all parameters whose names match, together."""
        norm = c_double()
        lib.sasuka_trainer_gradient_norm(self._handle, pattern.encode(), ctypes.byref(norm))
        return norm.value

    def add_group(
        self, pattern: str, *, lr_factor: float = 1.0, weight_decay: float | None = None, frozen: bool = False
    ) -> None:
        """Gives the parameters whose names match their own learning rate and weight decay, or freezes them.

        Later groups win, so that the general one comes first: discriminative learning rates (Howard and Ruder 2018) are

        >>> trainer.add_group("*", lr_factor=0.01)
        >>> trainer.add_group("layer4.*", lr_factor=0.1)
        >>> trainer.add_group("fc.*")

        Parameters
        ----------
        lr_factor : float
            Of the trainer's learning rate.
        weight_decay : float, optional
            The trainer's by default.
        frozen : bool
            The parameters have no gradient and stay as they are.
        """
        decay = -1.0 if weight_decay is None else weight_decay
        lib.sasuka_trainer_add_group(self._handle, pattern.encode(), lr_factor, decay, frozen)

    def freeze(self, pattern: str = "*", *, evaluation: bool = False) -> None:
        """Freezes the parameters whose names match, such as ``"layer1.*"``; all but the head: ``freeze()`` and
        ``unfreeze("fc.*")``. Layers before all that is trained cost no backward pass and no memory for activations.

        Parameters
        ----------
        evaluation : bool
            Whether their layers compute as in evaluation too: BatchNorm by its running statistics, without dropout.
        """
        if evaluation:
            self.set_evaluation(pattern)
        self.add_group(pattern, frozen=True)

    def unfreeze(self, pattern: str = "*", *, lr_factor: float = 1.0, weight_decay: float | None = None) -> None:
        """Trains the parameters whose names match again, and their layers, where it matches whole ones, in training mode."""
        self.add_group(pattern, lr_factor=lr_factor, weight_decay=weight_decay)
        with contextlib.suppress(NotFoundError):
            self.set_evaluation(pattern, False)

    def set_evaluation(self, pattern: str = "*", evaluation: bool = True) -> None:
        """Lets layers compute in training steps as in evaluation, as PyTorch's ``module.eval()``: BatchNorm uses its running
        statistics and leaves them as they are, dropout does nothing."""
        lib.sasuka_trainer_set_evaluation(self._handle, pattern.encode(), evaluation)

    @property
    def memory(self) -> int:
        """Bytes beside the model: compiled plans; gradients and optimiser state of what is trained."""
        return int(lib.sasuka_trainer_memory(self._handle))

    def set_schedule(self, kind: str, *, milestones: Sequence[int] = (), **settings: float) -> None:
        """The learning rate as a function of the updates made.

        Parameters
        ----------
        kind : {"constant", "step", "multi_step", "cosine", "one_cycle"}
        milestones : sequence of int
            Of "multi_step".
        **settings
            Fields of sasuka_schedule_options: step_size, gamma, total_steps, minimum, maximum, rise, warm_up_steps, ...
        """
        options = defaults(ScheduleOptions, "sasuka_schedule_options_init", _number(kind, SCHEDULES, "schedule"))
        fields = {field[0] for field in ScheduleOptions._fields_} - {"struct_size", "kind", "milestones", "milestone_count"}
        for name, value in settings.items():
            if name not in fields:
                raise TypeError(f"{name!r} is no setting of a schedule; {', '.join(sorted(fields))} are")
            setattr(options, name, value)
        if milestones:
            options.milestones, options.milestone_count = sizes(milestones), len(milestones)
        lib.sasuka_trainer_set_schedule(self._handle, ctypes.byref(options))

    @property
    def lr(self) -> float:
        """The rate of the next update; setting it replaces the base of the schedule."""
        return float(lib.sasuka_trainer_learning_rate(self._handle))

    @lr.setter
    def lr(self, rate: float) -> None:
        lib.sasuka_trainer_set_learning_rate(self._handle, rate)

    @property
    def steps(self) -> int:
        """Updates made so far."""
        return int(lib.sasuka_trainer_steps(self._handle))

    def save_checkpoint(self, path: str | os.PathLike[str] | None = None) -> bytes | None:
        """Saves weights, optimiser state and counters, from which training goes on bit for bit; without a path, as bytes."""
        if path is None:
            function = partial(self.model._interruptible.call, lib.sasuka_trainer_save_checkpoint_to_memory)
            return read_bytes(function, self._handle)
        self.model._interruptible.call(lib.sasuka_trainer_save_checkpoint, self._handle, os.fsencode(path))
        return None

    def load_checkpoint(self, source: PathOrBytes) -> None:
        """Takes over a checkpoint, a file or its bytes; on failure nothing has changed."""
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = np.frombuffer(source, dtype=np.uint8)
            lib.sasuka_trainer_load_checkpoint_from_memory(self._handle, c_void_p(data.ctypes.data), data.size)
        else:
            lib.sasuka_trainer_load_checkpoint(self._handle, os.fsencode(source))


def expect_model(model: object) -> None:
    """Refuses what is no `Model`, such as layers that are not yet one."""
    if not isinstance(model, Model):
        layers = f": {_elsewhere.BUILD}" if hasattr(model, "model") else ""
        raise TypeError(f"model is a {type(model).__name__}; a sasuka.Model is expected{layers}")


def _number(name: str, choices: dict[str, int], what: str) -> int:
    if not isinstance(name, str) or name not in choices:
        raise ValueError(f"{what} {name!r}; one of {', '.join(map(repr, choices))} is expected")
    return choices[name]


#: What `Trainer` may be told by name.
SETTINGS = tuple(inspect.signature(Trainer.__init__).parameters)[4:]


def check_settings(optimizer: str, settings: Mapping[str, Any]) -> None:
    """Refuses, before anything is trained, what a `Trainer` would refuse then."""
    _number(optimizer, OPTIMIZERS, "optimizer")
    _number(settings.get("loss", "cross_entropy"), LOSSES, "loss")
    for name in settings:
        if name not in SETTINGS:
            raise TypeError(f"Learner() takes no {name!r}; of a trainer's settings there are {', '.join(SETTINGS)}")
