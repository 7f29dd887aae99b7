"""Tensors of other libraries as NumPy arrays over the same memory, by the DLPack protocol.

The library that made a tensor need not be imported here: its object hands out a capsule around the C struct below, which
keeps the memory alive for as long as the capsule lives.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any

import numpy as np

from .errors import InvalidArgumentError

#: Kinds of device whose memory the processor reads: the CPU's own, and what is pinned for a GPU.
READABLE_DEVICES = (1, 3)
#: DLPack's codes of types that NumPy has, as it writes them.
KINDS = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
#: Code and bits of bfloat16, the upper half of a float32, which NumPy has not.
BFLOAT16 = (4, 16)


class _Tensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


#: What a capsule of Python's C interface points to.
pointer_of: Any = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = c_void_p, [ctypes.py_object, ctypes.c_char_p]


class _View:
    """What NumPy makes an array of, without a copy; the array keeps it, and it keeps the capsule."""

    def __init__(self, capsule: Any, tensor: _Tensor, halves: bool) -> None:
        kind, size = "u" if halves else KINDS.get(tensor.code), tensor.bits // 8
        if kind is None or tensor.lanes != 1 or size * 8 != tensor.bits:
            raise InvalidArgumentError(
                f"a tensor whose elements have DLPack's code {tensor.code} and {tensor.bits} bits (bfloat16 has code 4); "
                "float32 is expected"
            )
        self.capsule = capsule
        self.__array_interface__ = {
            "version": 3,
            "typestr": f"|{kind}{size}" if size == 1 else f"={kind}{size}".replace("=", np.dtype("i4").str[0]),
            "shape": tuple(tensor.shape[: tensor.ndim]),
            "strides": tuple(step * size for step in tensor.strides[: tensor.ndim]) if tensor.strides else None,
            "data": ((tensor.data or 0) + tensor.byte_offset, False),
        }


def readable(source: Any) -> np.ndarray:
    """An array with the numbers of an object with ``__dlpack__``, over its memory where NumPy has such elements."""
    # PyTorch's tensors: what is only read needs no history, and signs that are still to be changed are not exported.
    if getattr(source, "requires_grad", False):
        source = source.detach()
    if hasattr(source, "resolve_neg"):
        source = source.resolve_neg()
    return from_dlpack(source, widened=True)


def from_dlpack(source: Any, widened: bool = False) -> np.ndarray:
    """An array over the memory of an object with ``__dlpack__``; if `widened`, of bfloat16 a copy as float32.

    Errors: InvalidArgumentError where the memory is a GPU's or NumPy has no such elements.
    """
    device = source.__dlpack_device__()[0]
    if device not in READABLE_DEVICES:
        raise InvalidArgumentError(f"a tensor on a device of DLPack's kind {int(device)}; move it to the CPU first")
    capsule = source.__dlpack__()
    tensor = ctypes.cast(pointer_of(capsule, b"dltensor"), POINTER(_Tensor)).contents
    halves = widened and (tensor.code, tensor.bits) == BFLOAT16
    if any(size == 0 for size in tensor.shape[: tensor.ndim]):
        # Its address may be anything. Nothing lies there to be shared.
        return np.empty(tuple(tensor.shape[: tensor.ndim]), dtype=f"{KINDS.get(tensor.code, 'f')}{tensor.bits // 8}")
    array = np.asarray(_View(capsule, tensor, halves))
    return (array.astype(np.uint32) << 16).view(np.float32) if halves else array
