"""Models: networks with their weights, and sessions that run them."""

from __future__ import annotations

import ctypes
import difflib
import math
import os
import re
from collections.abc import Mapping, Sequence
from ctypes import c_int32, c_void_p
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar, Union, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _elsewhere
from ._interrupts import Interruptible
from ._library import (
    LoadOptions,
    ModelOptions,
    Owner,
    ParameterInfo,
    ProfileRow as _ProfileRow,
    SessionOptions,
    Tensor,
    TrainOptions,
    defaults,
    lib,
    name_list,
    read_bytes,
    shape_of,
    sizes,
)
from .describe import Summary
from .errors import BusyError, FileError, InvalidArgumentError, MismatchError, NotFoundError
from .inspection import Inspection
from .pictures import Preprocessing
from .profile import Profile, ProfileRow
from .surgery import Surgery
from .tensors import Borrowed, TensorLike, as_array, borrow_input, borrow_output, read_feature

Out = TypeVar("Out")
#: Names of several modules.
ModuleNames = Union[list[str], tuple[str, ...]]
PathOrBytes = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]

INITIALIZERS = {
    "default": 0,
    "constant": 1,
    "uniform": 2,
    "normal": 3,
    "kaiming_uniform": 4,
    "kaiming_normal": 5,
    "xavier_uniform": 6,
    "xavier_normal": 7,
}


#: Endings of files that a reader would expect to be something else than weights as they are written here.
OTHER_FORMATS = (".h5", ".hdf5", ".keras", ".mlmodel", ".onnx", ".pb", ".pkl", ".tflite")


class Parameter(NamedTuple):
    """One entry of a state dict."""

    name: str
    shape: tuple[int, ...]
    #: "weight" (learnt), "statistic" (gathered, such as a running mean) or "counter".
    kind: str

    def numel(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


if not TYPE_CHECKING:  # A type checker knows the attributes without it.
    Parameter.__getattr__ = _elsewhere.of_object(_elsewhere.PARAMETER)


class IncompatibleKeys(NamedTuple):
    """The names that did not fit when weights were loaded."""

    #: Parameters that the file lacks.
    missing_keys: list[str]
    #: Tensors of the file that the model has no parameter for.
    unexpected_keys: list[str]
    #: Parameters whose tensor has another shape.
    mismatched_keys: list[str]


class _LoadReport(Owner):
    """Receives what did not fit."""

    _destroy = "load_report_destroy"

    def __init__(self) -> None:
        self._handle = c_void_p()
        lib.sasuka_load_report_create(ctypes.byref(self._handle))

    def keys(self) -> IncompatibleKeys:
        return IncompatibleKeys(*(self._names(problem) for problem in range(3)))

    def _names(self, problem: int) -> list[str]:
        count = lib.sasuka_load_report_count(self._handle, problem)
        return [lib.sasuka_load_report_name(self._handle, problem, index).decode() for index in range(count)]


#: What normalises behind convolutions.
NORM_LAYERS = {"none": 0, "batch_norm": 1, "group_norm": 2}

#: What `load_weights` does with the first layer's weights for another number of channels.
CHANNEL_ADAPTATIONS = {"exact": 0, "average": 1, "repeat": 2}


def architectures() -> list[str]:
    """The names that `create_model` knows."""
    return [lib.sasuka_architecture_name(index).decode() for index in range(lib.sasuka_architecture_count())]


@_elsewhere.arguments_of(_elsewhere.CREATE)
def create_model(
    name: str,
    *,
    num_classes: int = 0,
    in_channels: int = 0,
    dropout: float | None = None,
    dropout_aux: float | None = None,
    stochastic_depth: float | None = None,
    width_mult: float | None = None,
    aux_logits: bool | None = None,
    transform_input: bool | None = None,
    zero_init_residual: bool | None = None,
    replace_stride_with_dilation: Sequence[bool] | None = None,
    norm_layer: str | None = None,
    norm_groups: int | None = None,
    groups: int | None = None,
    width_per_group: int | None = None,
    reduced_tail: bool | None = None,
    dilated: bool | None = None,
    seed: int = 0,
    threads: int = 0,
    exact: bool = False,
) -> Model:
    """A network by its torchvision name, with fresh weights.

    What is None is as published; a choice that the architecture does not offer is an error.

    Parameters
    ----------
    num_classes, in_channels : int
        0: as published.
    dropout : float, optional
        Before the classifier; of a DenseNet behind each layer (torchvision's `drop_rate`).
    dropout_aux : float, optional
        In GoogLeNet's auxiliary heads.
    stochastic_depth : float, optional
        Probability that the last residual block is skipped in training, the others in proportion to their depth.
    width_mult : float, optional
        Factor of the numbers of channels: MobileNet v2 and v3.
    aux_logits : bool, optional
        Whether GoogLeNet and Inception v3 have their auxiliary heads.
    transform_input : bool, optional
        Whether they take pictures normalised with ImageNet's mean and deviation, as their published weights want it.
    zero_init_residual : bool, optional
        Whether a ResNet's blocks begin as the identity.
    replace_stride_with_dilation : three bools, optional
        Whether layer2, layer3 and layer4 of a ResNet with bottlenecks dilate their convolutions instead of striding.
    norm_layer, norm_groups : str and int, optional
        "batch_norm", "group_norm" (of `norm_groups`, by default 32) for torchvision's
        ``norm_layer=functools.partial(nn.GroupNorm, norm_groups)``, or "none" for its ``norm_layer=nn.Identity``:
        ResNets, RegNet, MobileNet v2 and v3, EfficientNet.
    groups, width_per_group : int, optional
        Of the 3 x 3 convolutions of a ResNet with bottlenecks.
    reduced_tail, dilated : bool, optional
        Whether MobileNet v3 has half the channels in its last blocks, and whether these dilate instead of striding.
    seed : int
        From which the first weights are drawn.
    threads : int
        0: one for each processor that the calling thread may use, or fewer for runs of a network so small that waking them would
        take longer.
    exact : bool
        Whether to leave out algorithms that round more than plain sums do, Winograd's and Strassen's.
    """
    interruptible = Interruptible()
    options = _model_options(seed, threads, exact, interruptible)
    options.num_classes, options.in_channels = num_classes, in_channels
    choices: dict[str, Any] = {
        "dropout": dropout,
        "dropout_aux": dropout_aux,
        "stochastic_depth": stochastic_depth,
        "width_mult": width_mult,
        "aux_logits": aux_logits,
        "transform_input": transform_input,
        "zero_init_residual": zero_init_residual,
        "norm_groups": norm_groups,
        "groups": groups,
        "width_per_group": width_per_group,
        "reduced_tail": reduced_tail,
        "dilated": dilated,
    }
    if norm_layer is not None:
        if norm_layer not in NORM_LAYERS:
            raise ValueError(f"norm_layer {norm_layer!r}; one of {', '.join(map(repr, NORM_LAYERS))} is expected")
        choices["norm_layer"] = NORM_LAYERS[norm_layer]
    if replace_stride_with_dilation is not None:
        if len(replace_stride_with_dilation) != 3:
            raise ValueError(f"replace_stride_with_dilation {replace_stride_with_dilation}; three bools are expected")
        choices["replace_stride_with_dilation"] = (c_int32 * 3)(*map(bool, replace_stride_with_dilation))
    for choice, value in choices.items():
        if value is not None:
            setattr(options, choice, value)
    handle = c_void_p()
    try:
        lib.sasuka_model_create(name.encode(), ctypes.byref(options), ctypes.byref(handle))
    except NotFoundError as error:
        raise NotFoundError(f"no architecture is called {name!r}; {_similar(name)}") from error
    return Model(handle, interruptible)


def _similar(name: str) -> str:
    """What may have been meant."""
    by_letters = {re.sub(r"[^a-z0-9]", "", known): known for known in architectures()}
    near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), by_letters, n=3, cutoff=0.7)
    meant = f"did you mean {', '.join(by_letters[letters] for letters in near)}? " if near else ""
    return f"{meant}sasuka.list_models() gives all {len(by_letters)}"


def _model_options(seed: int, threads: int, exact: bool, interruptible: Interruptible) -> Any:
    options = defaults(ModelOptions, "sasuka_model_options_init")
    options.seed, options.threads, options.exact = seed, threads, exact
    options.progress = interruptible.callback
    return options


class Model(Surgery, Inspection):
    """A network with its weights. Made by `create_model` or `Graph.model`; a context manager; freed when collected."""

    _destroy = "model_destroy"
    _training_pass: _TrainingPass | None = None

    def __init__(self, handle: c_void_p, interruptible: Interruptible) -> None:
        self._handle = handle
        self._interruptible = interruptible
        self._output_shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._plans: list[_Plan] = []

    @classmethod
    def _from_graph(cls, graph: Any, *, seed: int, threads: int, exact: bool) -> Model:
        interruptible = Interruptible()
        options, handle = _model_options(seed, threads, exact, interruptible), c_void_p()
        lib.sasuka_model_create_from_graph(graph._handle, ctypes.byref(options), ctypes.byref(handle))
        return cls(handle, interruptible)

    @overload
    def __call__(self, x: TensorLike, out: None = None) -> np.ndarray: ...
    @overload
    def __call__(self, x: TensorLike, out: Out) -> Out: ...
    def __call__(self, x: TensorLike, out: Any = None) -> Any:
        """The network's result: in evaluation mode, or after `train` as training computes it, whose batches BatchNorm's running
        statistics then follow. In evaluation mode several threads may call at once; a `Session` for each has no need to ask
        who else does.

        Parameters
        ----------
        x : array_like or tensor
            [batch, channels, height, width], any strides; float32, float64, uint8, int32 or int64 are read where they lie,
            those of other libraries (PyTorch's, with ``__dlpack__``) too.
        out : numpy.ndarray or tensor, optional
            float32 or float64 of the result's shape, to be written; it is returned.
        """
        given = borrow_input(x)
        try:
            return self._forward(given, out)
        except InvalidArgumentError as error:
            raise hinted(error, given.array, self.input_shape) from None

    def _forward(self, given: Borrowed, out: Any) -> Any:
        if out is None:
            shape = given.array.shape
            if shape not in self._output_shapes:
                if len(self._output_shapes) >= 64:
                    self._output_shapes.clear()
                self._output_shapes[shape] = self.output_shape(shape)
            out = np.empty(self._output_shapes[shape], dtype=np.float32)
        written = borrow_output(out)
        if self.training:
            if self._training_pass is None:
                self._training_pass = _TrainingPass(self)
            self._interruptible.call(lib.sasuka_trainer_forward, self._training_pass._handle, given.pointer, written.pointer)
            return out
        try:
            self._interruptible.call(lib.sasuka_model_forward, self._handle, given.pointer, written.pointer)
        except BusyError:
            self._run_beside(given, written)
        return out

    def _run_beside(self, given: Borrowed, written: Borrowed) -> None:
        """While another thread runs the model's own plan: by a plan that no other uses, kept for the next time.

        What is done with the list of plans is one step for other threads, each time.
        """
        shape = given.array.shape
        try:
            plan = self._plans.pop()
        except IndexError:
            plan = _Plan(self, shape)
        if plan.input_shape != shape:
            plan.close()
            plan = _Plan(self, shape)
        self._interruptible.call(lib.sasuka_session_run, plan._handle, given.pointer, written.pointer)
        self._plans.append(plan)

    def close(self) -> None:
        """Frees it. What was made from it keeps what it needs."""
        parts, self._plans, self._training_pass = [*self._plans, self._training_pass], [], None
        for part in parts:
            if part is not None:
                part.close()
        super().close()

    def extract_features(self, x: TensorLike, names: Sequence[str]) -> dict[str, np.ndarray]:
        """What modules compute for `x` in evaluation mode, by name.

        >>> model.extract_features(pictures, ["layer1", "layer4.1.conv2"])
        """
        with Session(self, features=names) as session:
            session(x)
            return {name: session.feature(name) for name in names}

    @overload
    def features(self, x: TensorLike, module: str, batch_size: int = 64) -> np.ndarray: ...
    @overload
    def features(self, x: TensorLike, module: ModuleNames, batch_size: int = 64) -> dict[str, np.ndarray]: ...
    def features(self, x: TensorLike, module: str | ModuleNames, batch_size: int = 64) -> Any:
        """What one module computes for all of `x` in evaluation mode, batch by batch; what lies behind it is not computed.

        Of several modules a dictionary, as `extract_features` gives it for one batch.

        Computed once, it is the input of a ``Trainer(model, from_module=module)`` in every epoch.

        Parameters
        ----------
        x : array_like or tensor
            [samples, channels, height, width].
        """
        pictures = as_array(x)
        if not isinstance(module, str):
            starts = range(0, len(pictures), batch_size)
            batches = [self.extract_features(pictures[start : start + batch_size], module) for start in starts]
            return {name: np.concatenate([batch[name] for batch in batches]) for name in module}
        session: Session | None = None
        parts: list[np.ndarray] = []
        for start in range(0, len(pictures), batch_size):
            batch = pictures[start : start + batch_size]
            if session is None or len(batch) != batch_size:
                session = Session(self, batch.shape, to_module=module)
            parts.append(session(batch))
        return np.concatenate(parts)

    def gradients(
        self,
        x: TensorLike,
        names: Sequence[str],
        target: ArrayLike | None = None,
        *,
        seed: ArrayLike | None = None,
    ) -> dict[str, np.ndarray]:
        """Gradients with respect to what modules compute for `x`, by name, in evaluation mode.

        Parameters
        ----------
        names : sequence of str
            Modules as in `extract_features`; ``"input"`` is `x` itself.
        target : int or array_like of int, optional
            The class whose logit is differentiated, one for all or one for each sample; by default the predicted ones.
        seed : array_like, optional
            Of the result's shape: the sum of ``seed * model(x)`` is differentiated instead.

        >>> model.gradients(pictures, ["layer4"], target=3)["layer4"].shape
        """
        with Session(self, features=names, gradients=True) as session:
            logits = session(x)
            session.backward(class_seed(logits, target) if seed is None else seed)
            return {name: session.feature_gradient(name) for name in names}

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        """The result's shape for an input's."""
        return shape_of(lib.sasuka_model_output_shape, self._handle, sizes(input_shape), len(input_shape))

    def preprocessing(self, weights: str | None = None) -> Preprocessing:
        """What the authors of this architecture did to pictures; grey where the model has one channel.

        Parameters
        ----------
        weights : str, optional
            torchvision's name of the published weights, such as "IMAGENET1K_V1"; by default its DEFAULT.
        """
        return Preprocessing._found(lib.sasuka_model_preprocessing, self._handle, weights)

    def preprocess(self, pictures: Any, weights: str | None = None, **sizes: int) -> np.ndarray:
        """Pictures as the input that this network takes.

        Parameters
        ----------
        pictures : path, array_like, Pillow image, or list of them
            uint8 [height, width, 3] or [height, width], of any sizes.
        **sizes
            `resize_size` and `crop_size`, instead of the authors'.

        >>> logits = model(model.preprocess("cat.jpg"))
        """
        return self.preprocessing(weights)(pictures, **sizes)

    def session(
        self,
        input_shape: Any = None,
        *,
        features: Sequence[str] = (),
        gradients: bool = False,
        from_module: str | None = None,
        to_module: str | None = None,
        threads: int = 0,
        profile: bool = False,
        exact: bool = False,
        without: Sequence[str] = (),
        tune: bool = False,
        tuning: str | None = None,
        release_weights: bool = False,
    ) -> Session:
        """The network compiled for one input shape, or for that of the first run; see `Session`."""
        return Session(
            self,
            input_shape,
            features=features,
            gradients=gradients,
            from_module=from_module,
            to_module=to_module,
            threads=threads,
            profile=profile,
            exact=exact,
            without=without,
            tune=tune,
            tuning=tuning,
            release_weights=release_weights,
        )

    def profile(self, x: TensorLike, *, runs: int = 10, threads: int = 0) -> Profile:
        """Where the time of a forward pass goes: the rows' medians over a number of runs, after one that is not counted.

        >>> print(model.profile(pictures))
        """
        with Session(self, threads=threads, profile=True) as session:
            session(x)
            return session.profile(x, runs=runs)

    def summary(self, input_shape: Any = None) -> Summary:
        """The table of layers as text, which notebooks show as HTML: what `layers` gives, and the totals; at the nominal input
        unless told otherwise."""
        shape = (None, 0) if input_shape is None else (sizes(input_shape), len(input_shape))
        text = read_bytes(lib.sasuka_model_summary_at, self._handle, *shape)[:-1].decode()
        return Summary(text, self.layers(input_shape))

    def parameters(self) -> list[Parameter]:
        """The entries of the state dict, in PyTorch's order."""
        found = []
        for index in range(lib.sasuka_model_parameter_count(self._handle)):
            info = ParameterInfo()
            lib.sasuka_model_parameter_info(self._handle, index, ctypes.byref(info))
            kind = ("weight", "statistic", "counter")[info.kind]
            found.append(Parameter(info.name.decode(), tuple(info.shape[: info.rank]), kind))
        return found

    def state_dict(self) -> dict[str, np.ndarray]:
        """Name -> a copy of the numbers, with PyTorch's names, shapes and order."""
        state = {}
        for name, shape, kind in self.parameters():
            array = _touched(shape, np.int64 if kind == "counter" else np.float32)
            place = Borrowed(array)
            self._interruptible.call(lib.sasuka_model_get_parameter, self._handle, name.encode(), place.pointer)
            state[name] = array
        return state

    def load_state_dict(self, state: Mapping[str, ArrayLike], strict: bool = True) -> IncompatibleKeys:
        """Takes over numbers by name, all or, on failure, none.

        Raises
        ------
        BusyError
            Another thread uses the model.
        MismatchError
            For other shapes, and in strict loading for missing and unexpected names; its `keys` are the names.
        """
        shapes = {name: (shape, kind) for name, shape, kind in self.parameters()}
        # As in files of PyTorch before 0.4.1, which did not count batches.
        counts = any(kind == "counter" and name in state for name, (_, kind) in shapes.items())
        missing = [
            name for name, (_, kind) in shapes.items() if name not in state and (counts or kind != "counter")
        ]
        unexpected = [name for name in state if name not in shapes]
        arrays = {name: as_array(state[name]) for name in shapes if name in state}
        wrong = [name for name, array in arrays.items() if array.shape != shapes[name][0]]
        keys = IncompatibleKeys(missing, unexpected, wrong)
        reasons = [
            f"{name} has shape {list(arrays[name].shape)}, {list(shapes[name][0])} is expected" for name in wrong
        ]
        if strict and (missing or unexpected):
            reasons.insert(0, f"missing: {missing or 'none'}; unexpected: {unexpected or 'none'}")
        if reasons:
            raise MismatchError("; ".join(reasons), keys)
        given = [
            borrow_input(array.astype(np.int64) if shapes[name][1] == "counter" else array) for name, array in arrays.items()
        ]
        # One call, so that neither Ctrl-C nor another thread's call comes between two parameters.
        values = (Tensor * len(given))(*[numbers.struct for numbers in given])
        lib.sasuka_model_set_parameters(self._handle, name_list(arrays)[0], values, len(given))
        return keys

    def load_weights(
        self,
        source: PathOrBytes,
        strict: bool = True,
        *,
        key: str | None = None,
        prefix: str | None = None,
        pattern: str | None = None,
        channels: str = "exact",
        skip_mismatched: bool = False,
    ) -> IncompatibleKeys:
        """Loads a .safetensors or .npz file or a PyTorch state dict, or its bytes; on failure nothing has changed.

        Parameters
        ----------
        strict : bool
            Refuse missing and unexpected names.
        key : str, optional
            Which dictionary of a PyTorch checkpoint holds the weights, where several do.
        prefix : str, optional
            What stands before each parameter's name in the file; by default "module." if every name begins so.
        pattern : str, optional
            Load only parameters whose names match, such as "features.*".
        channels : str
            What becomes of the first convolution's weights for K channels in a model with `in_channels=M`: "exact"
            refuses them; "average" gives each channel the mean over the K, times K / M; "repeat" gives channel c those
            of channel c mod K, times K / M.
        skip_mismatched : bool
            Leave parameters whose shape does not fit, such as another number of classes, as they are.

        Raises
        ------
        MismatchError
            Its `keys` are the names that do not fit.
        """
        if channels not in CHANNEL_ADAPTATIONS:
            raise ValueError(f"channels {channels!r}; one of {', '.join(CHANNEL_ADAPTATIONS)} is expected")
        options = defaults(LoadOptions, "sasuka_load_options_init")
        options.strict, options.skip_mismatched = strict, skip_mismatched
        options.channels = CHANNEL_ADAPTATIONS[channels]
        for field, value in (("key", key), ("prefix", prefix), ("pattern", pattern)):
            if value is not None:
                setattr(options, field, value.encode())
        with _LoadReport() as report:
            options.report = report._handle
            try:
                self._load(source, options)
            except MismatchError as error:
                error.keys = report.keys()
                if error.keys.mismatched_keys and not skip_mismatched:
                    error.args = (f"{error.args[0]}; skip_mismatched=True leaves parameters of another shape as they are",)
                raise
            return report.keys()

    def _load(self, source: PathOrBytes, options: Any) -> None:
        if isinstance(source, Mapping):
            raise TypeError("source is a dictionary; a file or its bytes are expected: model.load_state_dict(state) takes names and arrays")
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = np.frombuffer(source, dtype=np.uint8)
            function = lib.sasuka_model_load_weights_from_memory
            self._interruptible.call(function, self._handle, c_void_p(data.ctypes.data), data.size, ctypes.byref(options))
            return
        if os.fspath(source).startswith(("http://", "https://")):
            raise FileError(f"{source}: nothing is downloaded; a file that is here is expected")
        self._interruptible.call(lib.sasuka_model_load_weights, self._handle, os.fsencode(source), ctypes.byref(options))

    def save_weights(self, path: str | os.PathLike[str] | None = None) -> bytes | None:
        """Saves as .npz, or as PyTorch's state dict (.pth, .pt), where the path ends so, else as safetensors; without a path
        returns the safetensors' bytes."""
        if path is None:
            return read_bytes(partial(self._interruptible.call, lib.sasuka_model_save_weights_to_memory), self._handle)
        ending = os.path.splitext(os.fspath(path))[1]
        if ending in OTHER_FORMATS:
            raise InvalidArgumentError(f"{os.fspath(path)}: {ending} is not written; .safetensors, .npz, .pth or .pt is expected")
        self._interruptible.call(lib.sasuka_model_save_weights, self._handle, os.fsencode(path))
        return None

    def initialize(self, pattern: str = "*", kind: str = "default", parameter: float = 0.0, seed: int = 0) -> None:
        """Draws the weights whose names match anew.

        Parameters
        ----------
        kind : str
            "default", "constant", "uniform", "normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform" or
            "xavier_normal".
        parameter : float
            The constant, the bound, the standard deviation or the gain (Kaiming's fan out: negative).
        """
        if kind not in INITIALIZERS:
            raise ValueError(f"kind {kind!r}; one of {', '.join(map(repr, INITIALIZERS))} is expected")
        lib.sasuka_model_initialize(self._handle, pattern.encode(), INITIALIZERS[kind], parameter, seed)


class _TrainingPass(Owner):
    """What computes a model's results in training mode: a trainer that never trains."""

    _destroy = "trainer_destroy"

    def __init__(self, model: Model) -> None:
        options, handle = defaults(TrainOptions, "sasuka_train_options_init", 0), c_void_p()
        options.progress = model._interruptible.callback
        lib.sasuka_trainer_create(model._handle, ctypes.byref(options), ctypes.byref(handle))
        self._handle = handle


class _Plan(Owner):
    """A session of a model that does not keep the model, which keeps it."""

    _destroy = "session_destroy"

    def __init__(self, model: Model, input_shape: tuple[int, ...]) -> None:
        options, handle = defaults(SessionOptions, "sasuka_session_options_init"), c_void_p()
        shape = sizes(input_shape), len(input_shape)
        model._interruptible.call(lib.sasuka_session_create, model._handle, *shape, ctypes.byref(options), ctypes.byref(handle))
        self._handle, self.input_shape = handle, input_shape


class Session(Owner):
    """A model compiled for one input shape, with memory of its own: one for each thread that runs it.

    Parameters
    ----------
    features : sequence of str
        Modules whose results `feature` gives after a run: layers by name, such as ``"layer1.0.conv1"``, or groups of
        layers, such as ``"layer1"``; ``"input"`` is the input itself.
    gradients : bool
        Whether `backward` may be called; activations are then kept for it.
    from_module, to_module : str, optional
        Only the part of the network that lies between two modules: the input is what `from_module` computes, the result
        what `to_module` computes. Every way to the result must lead through `from_module`.
    threads : int
        0: as the model.
    profile : bool
        Whether `profile` is wanted: layers are then computed for the whole batch, which others may compute picture by picture.
        Results differ in roundings at most.
    exact : bool
        Whether to leave out algorithms that round more than plain sums do, even if the model does not.
    without : sequence of str
        Passes of the compiler to leave out, for measuring and for finding faults: "dead_branches", "folding", "fusion",
        "channels", "bands", "pictures", "layout", "in_place", "reuse". Results differ in roundings at most.
    tune : bool
        Whether to time the algorithms of each convolution on this machine, in about a hundred times the time of a run, and
        keep the fastest; otherwise a model of costs chooses. Ctrl-C stops it.
    tuning : str, optional
        What `tuning` of a session says that was timed before: on the same kind of machine, with as many threads.
    release_weights : bool
        For a process that only infers. The weights are packed when the session is compiled, and as soon as a convolution's
        are, the model lets go of its own: memory at the peak is less by about the size of all kernels; linear layers are
        read where they lie. Afterwards the session runs on; what needs the numbers themselves (saving, `state_dict`,
        training, a session of other algorithms) raises `WrongStateError` until weights are loaded or set again.

    >>> tuning = model.session((1, 3, 224, 224), tune=True).tuning
    >>> session = model.session((1, 3, 224, 224), tuning=tuning)
    """

    _destroy = "session_destroy"
    _unmade = "is not compiled yet: run it first, or make it with an input_shape"
    _output_shape: tuple[int, ...] | None = None

    def __init__(
        self,
        model: Model,
        input_shape: Any = None,
        *,
        features: Sequence[str] = (),
        gradients: bool = False,
        from_module: str | None = None,
        to_module: str | None = None,
        threads: int = 0,
        profile: bool = False,
        exact: bool = False,
        without: Sequence[str] = (),
        tune: bool = False,
        tuning: str | None = None,
        release_weights: bool = False,
    ) -> None:
        self._model = model
        self._threads = threads
        self._profile, self._exact = profile, exact
        self._gradients, self._without = gradients, [without] if isinstance(without, str) else without
        self._tune, self._tuning = tune, tuning
        self._release_weights = release_weights
        self._part = {"from_module": from_module, "to_module": to_module}
        self.features = tuple(features)
        if input_shape is not None:
            self._compile(input_shape)

    def _compile(self, input_shape: Any) -> None:
        options, handle = defaults(SessionOptions, "sasuka_session_options_init"), c_void_p()
        options.threads, options.profile = self._threads, self._profile
        options.exact = self._exact
        if self._without:
            options.without = ",".join(self._without).encode()
        options.tune = self._tune
        if self._tuning is not None:
            options.tuning = self._tuning.encode()
        options.features, options.feature_count = name_list(self.features)
        options.gradients, options.release_weights = self._gradients, self._release_weights
        for field, module in self._part.items():
            if module is not None:
                setattr(options, field, module.encode())
        shape = sizes(input_shape), len(input_shape)
        self._model._interruptible.call(
            lib.sasuka_session_create, self._model._handle, *shape, ctypes.byref(options), ctypes.byref(handle)
        )
        self._handle = handle
        self._output_shape = shape_of(lib.sasuka_session_output_shape, handle)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the result, batch first."""
        if self._output_shape is None:
            raise self._missing()
        return self._output_shape

    @overload
    def __call__(self, x: TensorLike, out: None = None) -> np.ndarray: ...
    @overload
    def __call__(self, x: TensorLike, out: Out) -> Out: ...
    def __call__(self, x: TensorLike, out: Any = None) -> Any:
        """Runs the network; with `out` nothing is allocated."""
        given = borrow_input(x)
        if self._owned is None and not self._closed:
            self._compile(given.array.shape)
        if out is None:
            out = np.empty(self.output_shape, dtype=np.float32)
        self._model._interruptible.call(
            lib.sasuka_session_run, self._handle, given.pointer, borrow_output(out).pointer
        )
        return out

    def __repr__(self) -> str:
        if self._owned is None:
            return "Session(closed)" if self._closed else "Session(not compiled yet)"
        return f"Session({self._model!r}, output_shape={self.output_shape})"

    def feature(self, name: str) -> np.ndarray:
        """What a module, one of `features`, computed in the last run."""
        return self._feature(lib.sasuka_session_feature, name)

    def backward(self, seed: ArrayLike) -> None:
        """Gradients of the sum of ``seed * result`` of the last run with respect to all `features`, in evaluation mode.

        The weights must not have changed since that run. With another seed it may be called again.
        """
        self._model._interruptible.call(lib.sasuka_session_backward, self._handle, borrow_input(seed).pointer)

    def feature_gradient(self, name: str) -> np.ndarray:
        """The gradient with respect to what a module, one of `features`, computed, of the last `backward`."""
        return self._feature(lib.sasuka_session_feature_gradient, name)

    def _feature(self, function: Callable[..., Any], name: str) -> np.ndarray:
        return read_feature(lib.sasuka_session_feature_shape, function, self._handle, name)

    def profile(self, x: TensorLike, *, runs: int = 10, least: bool = False) -> Profile:
        """Runs the network some times; the median of each row's times, or the least, which other programs disturb less.

        The session must have been made with ``profile=True``.
        """
        times, rows = [], []
        for _ in range(max(runs, 1)):
            self(x)
            rows = [self._row(index) for index in range(lib.sasuka_session_profile_size(self._handle) or 1)]
            times.append([(row.nanoseconds, row.waiting) for row in rows])
        middle = np.min(times, axis=0) if least else np.median(times, axis=0)
        return Profile([_named(row, *map(float, time)) for row, time in zip(rows, middle)])

    def _row(self, index: int) -> Any:
        row = _ProfileRow()
        lib.sasuka_session_profile(self._handle, index, ctypes.byref(row), ctypes.sizeof(row))
        return row

    @property
    def tuning(self) -> str:
        """Which algorithms compute the convolutions, as text for other sessions."""
        return read_bytes(lib.sasuka_session_tuning, self._handle)[:-1].decode()

    @property
    def memory(self) -> int:
        """Bytes that closing the session would free: packed weights that other sessions of the model use too do not count."""
        return int(lib.sasuka_session_memory(self._handle))


def _named(row: Any, nanoseconds: float, waiting: float) -> ProfileRow:
    return ProfileRow(
        row.name.decode(),
        row.kind.decode(),
        row.algorithm.decode(),
        row.node,
        nanoseconds,
        waiting,
        row.multiply_adds,
        row.bytes,
        tuple(size for size in row.input_shape if size),
        tuple(size for size in row.output_shape if size),
    )


def _touched(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """New memory. Where it is large it is written to piece by piece, for the system hands it out slowly at the first touch,
    and between two pieces Ctrl-C is heard."""
    array = np.empty(shape, dtype=dtype)
    pieces, step = array.reshape(-1), 1 << 20
    for start in range(0, array.size if array.size > step else 0, step):
        pieces[start : start + step] = 0
    return array


def hinted(error: InvalidArgumentError, given: np.ndarray, expected: Sequence[int]) -> InvalidArgumentError:
    """The error, with advice where an input's shape looks like pictures that are laid out otherwise."""
    shape, advice = given.shape, ""
    if len(expected) == 3 and expected[0] in shape[-1:]:
        if len(shape) == 4 and given.dtype == np.uint8:
            advice = "; model.preprocess(pictures) makes the input of pictures of bytes"
        elif len(shape) == 4 and shape[1] != expected[0]:
            advice = "; pictures with channels last are read where they lie as x.transpose(0, 3, 1, 2)"
        if len(shape) == 3:
            advice = "; model.preprocess(picture) makes the input of a picture"
    return type(error)(str(error) + advice)


def class_seed(logits: np.ndarray, target: ArrayLike | None = None) -> np.ndarray:
    """1 at each sample's class of `logits` [batch, classes, ...], by default the predicted one, and 0 elsewhere."""
    if target is None:
        target = logits.reshape(*logits.shape[:2], -1).mean(axis=2).argmax(axis=1)
    classes = np.broadcast_to(np.asarray(target), len(logits))
    if classes.dtype.kind not in "iu" or (classes < 0).any() or (classes >= logits.shape[1]).any():
        raise ValueError(f"target {target}; classes from 0 to {logits.shape[1] - 1} are expected")
    seed = np.zeros_like(logits)
    seed[np.arange(len(logits)), classes] = 1
    return seed
