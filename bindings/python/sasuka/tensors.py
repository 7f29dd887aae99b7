"""NumPy arrays as the library's tensors, without copies where their memory allows."""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_char, c_int, c_int64, c_void_p
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import ArrayLike

from ._dlpack import from_dlpack, pointer_of, readable
from ._library import MAX_RANK, Tensor, shape_of
from .errors import InvalidArgumentError

_DTYPES = {np.dtype(kind): number for number, kind in enumerate(["f4", "f8", "u1", "i4", "i8"])}
_FLOATS = (np.dtype("f4"), np.dtype("f8"))
#: In the flags of ``__array_struct__``.
_C_CONTIGUOUS = 1


class SupportsDLPack(Protocol):
    """A tensor of any library that shares its memory by the DLPack protocol, such as PyTorch's."""

    def __dlpack__(self, *arguments: Any, **options: Any) -> Any: ...

    def __dlpack_device__(self) -> tuple[Any, int]: ...


TensorLike = Union[ArrayLike, SupportsDLPack]


class ArrayStruct(Structure):
    """What the capsule of NumPy's ``__array_struct__`` points to; sizes have 64 bits on the systems that the library is for."""

    _fields_ = [
        ("two", c_int),
        ("rank", c_int),
        ("kind", c_char),
        ("itemsize", c_int),
        ("flags", c_int),
        ("shape", c_void_p),
        ("strides", c_void_p),
        ("data", c_void_p),
    ]


class Borrowed:
    """A tensor struct and what keeps its memory alive for the duration of a call.

    Parameters
    ----------
    array : numpy.ndarray
        float32, float64, uint8, int32 or int64, of any strides that are whole elements.
    """

    def __init__(self, array: np.ndarray) -> None:
        rank = array.ndim
        if rank > MAX_RANK:
            raise InvalidArgumentError(f"an array of {rank} axes; at most {MAX_RANK} are expected")
        self.array = array
        # The same as array.ctypes.data, fifteen times as fast; the capsule owns the sizes.
        capsule = array.__array_struct__
        interface = ArrayStruct.from_address(pointer_of(capsule, None))
        self.struct = Tensor(interface.data, _DTYPES[array.dtype], rank, interface.shape)
        strides = None
        if not interface.flags & _C_CONTIGUOUS:
            strides = (c_int64 * max(rank, 1))(*[step // array.itemsize for step in array.strides])
            self.struct.strides = ctypes.addressof(strides)
        # A pointer to the struct may outlive this object; what it points to lives as long as the struct.
        self.struct.keeps = capsule, array, strides

    @property
    def pointer(self) -> Any:
        return ctypes.byref(self.struct)


def as_array(values: Any) -> np.ndarray:
    """An array over the same memory where `values` offers it (NumPy, ``__array_interface__``, ``__dlpack__``), else a new one."""
    if isinstance(values, np.ndarray):
        return values
    return readable(values) if _is_foreign(values) else np.asarray(values)


def _is_foreign(values: Any) -> bool:
    return hasattr(values, "__dlpack__") and not hasattr(values, "__array_interface__")


def _fits(array: np.ndarray) -> bool:
    kind, flags = array.dtype, array.flags
    if kind not in _DTYPES or not kind.isnative or not flags.aligned:
        return False
    return flags.c_contiguous or all(step % array.itemsize == 0 for step in array.strides)


def as_float32(array: np.ndarray) -> np.ndarray:
    """Real numbers as float32, row by row, the array itself where it is; of complex ones, dates, texts and objects nothing would be left."""
    if array.dtype.kind not in "biuf":
        raise InvalidArgumentError(f"an array of {array.dtype}; real numbers are expected, such as float32")
    return array.astype(np.float32, order="C", copy=False)


def borrow_input(values: TensorLike) -> Borrowed:
    """An array to be read; other numbers than the library's become float32."""
    array = as_array(values)
    return Borrowed(array if _fits(array) else as_float32(array))


def borrow_labels(values: TensorLike) -> Borrowed:
    """Class numbers of any integer type, or numbers where the loss compares numbers."""
    array = as_array(values)
    if array.dtype.kind in "iub" and not (_fits(array) and array.dtype.kind == "i"):
        array = array.astype(np.int64)
    return borrow_input(array)


def borrow_output(out: Any) -> Borrowed:
    """An array, or another library's tensor, to be written where it lies."""
    # NumPy's own first: to ask one for its interface takes longer than all the rest.
    if isinstance(out, np.ndarray):
        array = out
    elif hasattr(out, "__array_interface__") or hasattr(out, "__dlpack__"):
        array = from_dlpack(out) if _is_foreign(out) else np.asarray(out)
    else:
        raise InvalidArgumentError(f"out is a {type(out).__name__}; an array that can be written where it lies is expected")
    if array.dtype not in _FLOATS or not _fits(array) or not array.flags.writeable:
        raise InvalidArgumentError(
            f"out is {'' if array.flags.writeable else 'a read-only '}{array.dtype}; a writable float32 or float64 array "
            "is expected"
        )
    return Borrowed(array)


def read_feature(shape_function: Any, function: Any, handle: Any, name: str) -> np.ndarray:
    """What `function` writes of a module, whose shape `shape_function` knows."""
    value = np.empty(shape_of(shape_function, handle, name.encode()), dtype=np.float32)
    function(handle, name.encode(), borrow_output(value).pointer)
    return value
