"""The shared library as ctypes sees it: where it is found, its structs and its functions."""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, Callable, TypeVar, Union

from . import errors

#: Of a file.
PathLike = Union[str, "os.PathLike[str]"]

ABI_VERSION = 1
MAX_RANK = 8


class Tensor(Structure):
    # Addresses: pointers to integers, which are objects of their own, take twice as long to make.
    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", c_void_p),
        ("strides", c_void_p),
    ]


class Progress(Structure):
    _fields_ = [("struct_size", c_size_t), ("stage", c_char_p), ("done", c_int64), ("total", c_int64)]


ProgressFunction = CFUNCTYPE(c_bool, POINTER(Progress), c_void_p)
LogFunction = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
ParallelBody = CFUNCTYPE(None, c_void_p, c_int64)
ParallelFor = CFUNCTYPE(None, c_int64, ParallelBody, c_void_p, c_void_p)


class Window(Structure):
    _fields_ = [("kernel", c_int64), ("stride", c_int64), ("dilation", c_int64), ("before", c_int64)]


class ConvolutionOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("stride", c_int64 * 2),
        ("dilation", c_int64 * 2),
        ("padding", c_int64 * 4),
        ("output_padding", c_int64 * 2),
        ("groups", c_int64),
        ("padding_mode", c_int32),
        ("bias", c_int32),
    ]


class PoolOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("stride", c_int64 * 2),
        ("dilation", c_int64 * 2),
        ("padding", c_int64 * 4),
        ("padding_mode", c_int32),
        ("ceil_mode", c_int32),
        ("count_include_pad", c_int32),
        ("reserved", c_int32),
    ]


class BatchNormOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("epsilon", c_double),
        ("momentum", c_double),
        ("affine", c_int32),
        ("track_running_statistics", c_int32),
    ]


class ResizeOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("nearest", c_int32),
        ("align_corners", c_int32),
        ("size", c_int64 * 2),
        ("scale", c_double * 2),
    ]


class ModelOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("num_classes", c_int64),
        ("in_channels", c_int64),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("reserved", c_int32),
        ("parallel_for", ParallelFor),
        ("parallel_for_user_data", c_void_p),
        ("progress", ProgressFunction),
        ("progress_user_data", c_void_p),
        ("dropout", c_double),
        ("dropout_aux", c_double),
        ("stochastic_depth", c_double),
        ("width_mult", c_double),
        ("aux_logits", c_int32),
        ("transform_input", c_int32),
        ("zero_init_residual", c_int32),
        ("exact", c_int32),
        ("replace_stride_with_dilation", c_int32 * 3),
        ("norm_layer", c_int32),
        ("groups", c_int64),
        ("width_per_group", c_int64),
        ("reduced_tail", c_int32),
        ("dilated", c_int32),
        ("norm_groups", c_int64),
    ]


class Preprocessing(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("channels", c_int64),
        ("resize_size", c_int64),
        ("crop_size", c_int64),
        ("interpolation", c_int32),
        ("reserved", c_int32),
        ("mean", c_double * 3),
        ("std", c_double * 3),
    ]


class Picture(Structure):
    _fields_ = [
        ("pixels", c_void_p),
        ("height", c_int64),
        ("width", c_int64),
        ("channels", c_int64),
        ("row_bytes", c_int64),
    ]


class LoadOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("strict", c_int32),
        ("reserved", c_int32),
        ("key", c_char_p),
        ("prefix", c_char_p),
        ("pattern", c_char_p),
        ("report", c_void_p),
        ("channels", c_int32),
        ("skip_mismatched", c_int32),
    ]


class ParameterInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("shape", POINTER(c_int64)),
        ("rank", c_int32),
        ("kind", c_int32),
        ("dtype", c_int32),
    ]


class LayerInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("kind", c_char_p),
        ("shape", c_int64 * 8),
        ("kernel", c_int64 * 2),
        ("stride", c_int64 * 2),
        ("dilation", c_int64 * 2),
        ("padding", c_int64 * 4),
        ("field_size", c_int64 * 2),
        ("field_step", c_int64 * 2),
        ("field_start", c_int64 * 2),
        ("parameters", c_int64),
        ("multiply_adds", c_int64),
        ("activation_bytes", c_int64),
        ("rank", c_int32),
        ("reserved", c_int32),
    ]


class SessionOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("profile", c_int32),
        ("features", POINTER(c_char_p)),
        ("feature_count", c_size_t),
        ("from_module", c_char_p),
        ("to_module", c_char_p),
        ("gradients", c_int32),
        ("exact", c_int32),
        ("without", c_char_p),
        ("tuning", c_char_p),
        ("tune", c_int32),
        ("release_weights", c_int32),
    ]


class ProfileRow(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("kind", c_char_p),
        ("algorithm", c_char_p),
        ("node", c_int64),
        ("nanoseconds", c_int64),
        ("waiting", c_int64),
        ("multiply_adds", c_int64),
        ("bytes", c_int64),
        ("input_shape", c_int64 * MAX_RANK),
        ("output_shape", c_int64 * MAX_RANK),
    ]


class TrainOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("optimizer", c_int32),
        ("loss", c_int32),
        ("learning_rate", c_double),
        ("momentum", c_double),
        ("dampening", c_double),
        ("weight_decay", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("epsilon", c_double),
        ("alpha", c_double),
        ("centered", c_int32),
        ("nesterov", c_int32),
        ("label_smoothing", c_double),
        ("ignore_index", c_int64),
        ("class_weights", POINTER(c_float)),
        ("class_weight_count", c_size_t),
        ("clip_norm", c_double),
        ("clip_value", c_double),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("reserved", c_int32),
        ("progress", ProgressFunction),
        ("progress_user_data", c_void_p),
        ("from_module", c_char_p),
    ]


class ScheduleOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("linear", c_int32),
        ("three_phase", c_int32),
        ("cycle_momentum", c_int32),
        ("warm_up_steps", c_int64),
        ("warm_up_start", c_double),
        ("step_size", c_int64),
        ("gamma", c_double),
        ("milestones", POINTER(c_int64)),
        ("milestone_count", c_size_t),
        ("total_steps", c_int64),
        ("minimum", c_double),
        ("maximum", c_double),
        ("rise", c_double),
        ("initial_divisor", c_double),
        ("final_divisor", c_double),
        ("base_momentum", c_double),
        ("max_momentum", c_double),
    ]


class Evaluation(Structure):
    _fields_ = [("loss_sum", c_double), ("samples", c_int64), ("top1", c_int64), ("top5", c_int64)]


_sizes, _size, _handle, _name = POINTER(c_int64), c_size_t, c_void_p, c_char_p
_value, _tensor, _needed = c_int32, POINTER(Tensor), POINTER(c_size_t)
_out_value = POINTER(c_int32)
_layer = [_handle, _value, _name]

#: Functions that return a status: their arguments, in the header's order.
CHECKED: dict[str, list[Any]] = {
    "window_output_size": [c_int64] * 6 + [c_bool, _sizes],
    "transposed_output_size": [c_int64] * 7 + [_sizes],
    "resolve_padding": [c_int32] + [c_int64] * 4 + [_sizes, _sizes],
    "receptive_field": [POINTER(Window), _size, _sizes, _sizes, _sizes],
    "graph_create": [_sizes, c_int32, POINTER(_handle), _out_value],
    "graph_shape": [_handle, _value, _sizes, POINTER(c_int32)],
    "graph_set_output": [_handle, _value],
    "graph_add_auxiliary": [_handle, _value, c_double],
    "graph_convolution": [*_layer, c_int64, c_int64, c_int64, POINTER(ConvolutionOptions), _out_value],
    "graph_transposed_convolution": [*_layer, c_int64, c_int64, c_int64, POINTER(ConvolutionOptions), _out_value],
    "graph_linear": [*_layer, c_int64, c_bool, _out_value],
    "graph_max_pool": [*_layer, c_int64, c_int64, POINTER(PoolOptions), _out_value],
    "graph_average_pool": [*_layer, c_int64, c_int64, POINTER(PoolOptions), _out_value],
    "graph_adaptive_average_pool": [*_layer, c_int64, c_int64, _out_value],
    "graph_batch_norm": [*_layer, POINTER(BatchNormOptions), _out_value],
    "graph_group_norm": [*_layer, c_int64, c_double, c_bool, _out_value],
    "graph_dropout": [*_layer, c_double, c_int32, _out_value],
    "graph_local_response_norm": [*_layer, c_int64, c_double, c_double, c_double, _out_value],
    "graph_activation": [*_layer, c_int32, c_double, _out_value],
    "graph_softmax": [*_layer, c_int32, c_bool, _out_value],
    "graph_add": [_handle, _value, _value, _name, _out_value],
    "graph_multiply": [_handle, _value, _value, _name, _out_value],
    "graph_concatenate": [_handle, POINTER(c_int32), _size, c_int32, _name, _out_value],
    "graph_flatten": [*_layer, c_int32, _out_value],
    "graph_reshape": [*_layer, _sizes, c_int32, _out_value],
    "graph_permute": [*_layer, POINTER(c_int32), c_int32, _out_value],
    "graph_channel_shuffle": [*_layer, c_int64, _out_value],
    "graph_slice": [*_layer, c_int32, c_int64, c_int64, c_int64, _out_value],
    "graph_pad": [*_layer, _sizes, c_int32, c_double, _out_value],
    "graph_resize": [*_layer, POINTER(ResizeOptions), _out_value],
    "graph_mean": [*_layer, POINTER(c_int32), c_int32, c_bool, _out_value],
    "model_create": [_name, POINTER(ModelOptions), POINTER(_handle)],
    "model_create_from_graph": [_handle, POINTER(ModelOptions), POINTER(_handle)],
    "architecture_preprocessing": [_name, _name, POINTER(Preprocessing)],
    "model_preprocessing": [_handle, _name, POINTER(Preprocessing)],
    "preprocess": [POINTER(Preprocessing), POINTER(Picture), _size, _tensor],
    "load_report_create": [POINTER(_handle)],
    "model_load_weights": [_handle, _name, POINTER(LoadOptions)],
    "model_load_weights_from_memory": [_handle, c_void_p, _size, POINTER(LoadOptions)],
    "model_save_weights": [_handle, _name],
    "model_save_weights_to_memory": [_handle, c_void_p, _size, _needed],
    "model_forward": [_handle, _tensor, _tensor],
    "model_output_shape": [_handle, _sizes, c_int32, _sizes, POINTER(c_int32)],
    "model_input_shape": [_handle, _sizes, POINTER(c_int32)],
    "model_connections": [_handle, POINTER(c_int32), _size, _needed],
    "model_summary": [_handle, c_void_p, _size, _needed],
    "model_parameter_info": [_handle, _size, POINTER(ParameterInfo)],
    "model_get_parameter": [_handle, _name, _tensor],
    "model_set_parameter": [_handle, _name, _tensor],
    "model_set_parameters": [_handle, POINTER(_name), POINTER(Tensor), _size],
    "model_initialize": [_handle, _name, c_int32, c_double, c_uint64],
    "model_train_step": [_handle, _tensor, _tensor, POINTER(TrainOptions), POINTER(c_double)],
    "model_layers": [_handle, _sizes, c_int32, POINTER(LayerInfo), _size, _size, _needed],
    "model_summary_at": [_handle, _sizes, c_int32, c_void_p, _size, _needed],
    "model_replace_head": [_handle, c_int64, c_uint64, POINTER(_handle)],
    "model_make_convolutional": [_handle, POINTER(_handle)],
    "model_ablate": [_handle, POINTER(c_char_p), _size, c_int32, POINTER(_handle)],
    "model_replace_max_pool": [_handle, _name, c_int32, POINTER(_handle)],
    "model_pool_globally": [_handle, c_uint64, POINTER(_handle)],
    "session_create": [_handle, _sizes, c_int32, POINTER(SessionOptions), POINTER(_handle)],
    "session_run": [_handle, _tensor, _tensor],
    "session_output_shape": [_handle, _sizes, POINTER(c_int32)],
    "session_feature": [_handle, _name, _tensor],
    "session_tuning": [_handle, c_void_p, _size, _needed],
    "session_profile": [_handle, _size, POINTER(ProfileRow), _size],
    "session_feature_shape": [_handle, _name, _sizes, POINTER(c_int32)],
    "session_backward": [_handle, _tensor],
    "session_feature_gradient": [_handle, _name, _tensor],
    "trainer_create": [_handle, POINTER(TrainOptions), POINTER(_handle)],
    "trainer_add_group": [_handle, _name, c_double, c_double, c_bool],
    "trainer_set_evaluation": [_handle, _name, c_bool],
    "trainer_set_schedule": [_handle, POINTER(ScheduleOptions)],
    "trainer_set_learning_rate": [_handle, c_double],
    "trainer_zero_gradients": [_handle],
    "trainer_forward_backward": [_handle, _tensor, _tensor, POINTER(c_double)],
    "trainer_forward": [_handle, _tensor, _tensor],
    "trainer_watch": [_handle, POINTER(c_char_p), _size],
    "trainer_feature_shape": [_handle, _name, _sizes, POINTER(c_int32)],
    "trainer_feature": [_handle, _name, _tensor],
    "trainer_feature_gradient": [_handle, _name, _tensor],
    "trainer_update": [_handle],
    "trainer_step": [_handle, _tensor, _tensor, POINTER(c_double)],
    "trainer_evaluate": [_handle, _tensor, _tensor, POINTER(Evaluation)],
    "trainer_gradients": [_handle, POINTER(POINTER(c_float)), POINTER(c_size_t)],
    "trainer_gradient_norm": [_handle, _name, POINTER(c_double)],
    "trainer_gradient_offset": [_handle, _name, POINTER(c_size_t)],
    "trainer_save_checkpoint": [_handle, _name],
    "trainer_load_checkpoint": [_handle, _name],
    "trainer_save_checkpoint_to_memory": [_handle, c_void_p, _size, _needed],
    "trainer_load_checkpoint_from_memory": [_handle, c_void_p, _size],
}

#: The other functions: what they return, and their arguments.
PLAIN: dict[str, tuple[Any, list[Any]]] = {
    "version": (c_char_p, []),
    "abi_version": (c_uint32, []),
    "status_name": (c_char_p, [c_int32]),
    "last_error": (c_char_p, []),
    "instruction_set": (c_char_p, []),
    "set_log_function": (None, [LogFunction, c_void_p]),
    "graph_destroy": (None, [_handle]),
    "model_destroy": (None, [_handle]),
    "session_destroy": (None, [_handle]),
    "trainer_destroy": (None, [_handle]),
    "convolution_options_init": (None, [POINTER(ConvolutionOptions), _size]),
    "pool_options_init": (None, [POINTER(PoolOptions), _size]),
    "batch_norm_options_init": (None, [POINTER(BatchNormOptions), _size]),
    "resize_options_init": (None, [POINTER(ResizeOptions), _size]),
    "preprocessing_init": (None, [POINTER(Preprocessing), _size]),
    "load_report_destroy": (None, [_handle]),
    "load_report_count": (_size, [_handle, c_int32]),
    "load_report_name": (c_char_p, [_handle, c_int32, _size]),
    "model_options_init": (None, [POINTER(ModelOptions), _size]),
    "load_options_init": (None, [POINTER(LoadOptions), _size]),
    "session_options_init": (None, [POINTER(SessionOptions), _size]),
    "train_options_init": (None, [POINTER(TrainOptions), _size, c_int32]),
    "schedule_options_init": (None, [POINTER(ScheduleOptions), _size, c_int32]),
    "architecture_count": (_size, []),
    "architecture_name": (c_char_p, [_size]),
    "model_parameter_count": (_size, [_handle]),
    "session_memory": (_size, [_handle]),
    "session_profile_size": (_size, [_handle]),
    "trainer_memory": (_size, [_handle]),
    "trainer_learning_rate": (c_double, [_handle]),
    "trainer_steps": (c_int64, [_handle]),
}


def find_library() -> Path:
    """The library's file: SASUKA_LIBRARY, the one beside this package, or the one a checkout has built."""
    named = os.environ.get("SASUKA_LIBRARY")
    if named:
        return Path(named)
    here = Path(__file__).resolve().parent
    places = [here / "libsasuka.so", here.parents[2] / "build" / "libsasuka.so"]
    for place in places:
        if place.exists():
            return place
    raise ImportError(
        "libsasuka.so is neither at " + " nor at ".join(map(str, places))
        + "; `make` builds it in a checkout, and the environment variable SASUKA_LIBRARY names another"
    )


def library_path() -> Path:
    """The library's file, with which C programs are linked; see `include_path`."""
    return find_library().resolve()


def include_path() -> Path:
    """The folder of ``sasuka.h``, for C and C++ programs that use the library of this package.

    >>> folder = sasuka.library_path().parent
    >>> f"cc program.c -I{sasuka.include_path()} -L{folder} -lsasuka -Wl,-rpath,{folder}"
    """
    here = Path(__file__).resolve().parent
    places = [here / "include", here.parents[2] / "Include"]
    for place in places:
        if (place / "sasuka.h").is_file():
            return place
    raise errors.FileError("sasuka.h is neither in " + " nor in ".join(map(str, places)) + "; a wheel carries it")


def _check(status: int, function: Any, arguments: Any) -> None:
    if status != 0:
        kind = errors.BY_STATUS.get(status, errors.SasukaError)
        raise kind(lib.sasuka_last_error().decode())


def _load() -> ctypes.CDLL:
    path = find_library()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as reason:
        raise ImportError(f"{path} cannot be loaded: {reason}") from reason
    for name, (result, arguments) in PLAIN.items():
        function = getattr(library, "sasuka_" + name, None)
        if function is not None:
            function.restype, function.argtypes = result, arguments
    for name, arguments in CHECKED.items():
        function = getattr(library, "sasuka_" + name, None)
        if function is not None:
            function.restype, function.argtypes, function.errcheck = c_int32, arguments, _check
    found = library.sasuka_abi_version()
    if found != ABI_VERSION:
        raise ImportError(f"{path} has interface version {found}; this package needs {ABI_VERSION}")
    return library


lib = _load()

Self = TypeVar("Self", bound="Owner")


def defaults(kind: type[Structure], init: str, *arguments: int) -> Any:
    """An options struct as its ``_init`` function fills it."""
    options = kind()
    getattr(lib, init)(ctypes.byref(options), ctypes.sizeof(options), *arguments)
    return options


def sizes(values: Any) -> Any:
    """A C array of 64-bit sizes."""
    if not hasattr(values, "__iter__"):
        raise TypeError(f"a shape is {values!r}; sizes are expected, such as (3, 224, 224)")
    numbers = [int(value) for value in values]
    return (c_int64 * max(len(numbers), 1))(*numbers)


def name_list(values: Any) -> tuple[Any, int]:
    """A C array of names, and how many there are."""
    texts = [value.encode() for value in values]
    return (c_char_p * max(len(texts), 1))(*texts), len(texts)


def shape_of(function: Any, *arguments: Any) -> tuple[int, ...]:
    """The shape that a function writes."""
    shape, rank = (c_int64 * MAX_RANK)(), c_int32(MAX_RANK)
    function(*arguments, shape, ctypes.byref(rank))
    return tuple(shape[: rank.value])


class Owner:
    """Owns an object of the library: a context manager, which frees it when closed or collected."""

    #: None before it is made and after it is closed.
    _owned: Any = None
    _closed = False
    #: What it is before it is made.
    _unmade = "is not made yet"
    #: The function that frees it, without its prefix.
    _destroy: str

    @property
    def _handle(self) -> Any:
        if self._owned is None:
            raise self._missing()
        return self._owned

    @_handle.setter
    def _handle(self, handle: Any) -> None:
        self._owned = handle

    def _missing(self) -> errors.WrongStateError:
        return errors.WrongStateError(f"this {type(self).__name__} {'is closed' if self._closed else self._unmade}")

    def close(self) -> None:
        """Frees it. What was made from it keeps what it needs."""
        handle, self._owned, self._closed = self._owned, None, True
        if handle:
            getattr(lib, "sasuka_" + self._destroy)(handle)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Two objects would free the same memory.
        raise TypeError(
            f"a {type(self).__name__} owns memory of the library and is neither pickled nor copied; what it knows is in a "
            "model's save_weights() and a trainer's save_checkpoint(), which give bytes"
        )

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # At the interpreter's exit this module's names may be gone before its objects; the memory goes with the process.
        if self._owned and lib is not None:
            self.close()


_new_bytes: Callable[[None, int], bytes] = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, ctypes.c_ssize_t)(("PyBytes_FromStringAndSize", ctypes.pythonapi))
_address_of_bytes = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object)(("PyBytes_AsString", ctypes.pythonapi))
_PIECE = 1 << 22


def read_bytes(function: Any, *arguments: Any) -> bytes:
    """What a function writes that says first how much room it needs."""
    needed = c_size_t()
    function(*arguments, None, 0, ctypes.byref(needed))
    # Written where the result lies: of a large network's weights there is no second copy. Python's C API allows that for
    # bytes that it has just made. They are touched piece by piece, between which Ctrl-C is heard, for the system hands out
    # memory slowly.
    data, size = _new_bytes(None, needed.value), needed.value
    place = _address_of_bytes(data)
    for start in range(0, size, _PIECE):
        ctypes.memset(place + start, 0, min(_PIECE, size - start))
    function(*arguments, c_void_p(place), size, ctypes.byref(needed))
    return data[: needed.value]
