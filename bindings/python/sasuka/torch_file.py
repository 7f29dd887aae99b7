"""State dicts as PyTorch saves them, for ``torch.load(path, weights_only=True)``: written without PyTorch.

The file is a zip archive whose members are not compressed: one pickle that names the tensors, and their numbers.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import numpy as np

from ._library import PathLike
from .errors import FileError

_STORAGES = {np.dtype("<f4"): "FloatStorage", np.dtype("<i8"): "LongStorage"}


class _Pickle:
    """Writes the few opcodes of pickle protocol 2 that a state dict needs."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._out.write(b"\x80\x02")

    def raw(self, opcodes: bytes) -> None:
        self._out.write(opcodes)

    def name(self, module: str, name: str) -> None:
        self._out.write(f"c{module}\n{name}\n".encode())

    def text(self, value: str) -> None:
        data = value.encode()
        self._out.write(b"X" + struct.pack("<I", len(data)) + data)

    def integer(self, value: int) -> None:
        # Four bytes, or as many as it takes, with a count before them.
        if value < 2**31:
            self._out.write(b"J" + struct.pack("<i", value))
        else:
            self._out.write(b"\x8a\x08" + struct.pack("<q", value))

    def integers(self, values: tuple[int, ...]) -> None:
        self._out.write(b"(")
        for value in values:
            self.integer(value)
        self._out.write(b"t")

    def bytes(self) -> bytes:
        return self._out.getvalue() + b"."


def _tensor(pickle: _Pickle, key: str, array: np.ndarray) -> None:
    """_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)."""
    pickle.name("torch._utils", "_rebuild_tensor_v2")
    pickle.raw(b"((")
    pickle.text("storage")
    pickle.name("torch", _STORAGES[array.dtype])
    pickle.text(key)
    pickle.text("cpu")
    pickle.integer(array.size)
    pickle.raw(b"tQ")
    pickle.integer(0)
    pickle.integers(array.shape)
    pickle.integers(tuple(step // array.itemsize for step in array.strides))
    pickle.raw(b"\x89")
    pickle.name("collections", "OrderedDict")
    pickle.raw(b")RtR")


def write_state_dict(file: IO[bytes], state: Mapping[str, np.ndarray]) -> None:
    """Writes a dictionary of float32 and int64 arrays."""
    pickle, arrays = _Pickle(), []
    pickle.name("collections", "OrderedDict")
    pickle.raw(b")R(")
    for number, (name, array) in enumerate(state.items()):
        kind = "<i8" if array.dtype.kind in "iu" else "<f4"
        arrays.append(np.asarray(array, dtype=kind, order="C"))
        pickle.text(name)
        _tensor(pickle, str(number), arrays[-1])
    pickle.raw(b"u")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle.bytes())
        archive.writestr("archive/byteorder", b"little")
        for number, array in enumerate(arrays):
            archive.writestr(f"archive/data/{number}", array.reshape(-1).view(np.uint8).data)
        archive.writestr("archive/version", b"3\n")


@contextmanager
def written_whole(path: PathLike) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all: a temporary one beside it, synced and renamed once all is written."""
    target = os.path.abspath(os.fspath(path))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".sasuka-")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
        temporary = ""
    except OSError as reason:
        raise FileError(f"{os.fspath(path)} cannot be written: {reason}") from reason
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
