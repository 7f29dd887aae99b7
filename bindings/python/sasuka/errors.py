"""What can go wrong, as exceptions that carry the library's own message."""

from __future__ import annotations

from typing import Any


class SasukaError(Exception):
    """A call into the library failed; the message names the value that was wrong and what was expected."""

    #: The number of the status in sasuka.h.
    status = 0


class InvalidArgumentError(SasukaError, ValueError):
    """An argument is out of range, or of the wrong shape or type."""

    status = 1


class OutOfMemoryError(SasukaError, MemoryError):
    """Memory for a buffer could not be had."""

    status = 2


class FileError(SasukaError, OSError):
    """The operating system refused to open, read, write or rename a file."""

    status = 3


class FormatError(SasukaError, ValueError):
    """A file's bytes are not what its format requires."""

    status = 4


class MismatchError(SasukaError, ValueError):
    """Names or shapes in a file do not fit the model; `keys` are the names, where weights were loaded."""

    status = 5

    def __init__(self, message: str, keys: Any = None) -> None:
        super().__init__(message)
        self.keys = keys


class UnsupportedError(SasukaError, NotImplementedError):
    """A valid request for something that the library does not do."""

    status = 6


class NotFoundError(SasukaError, LookupError):
    """A name is not known."""

    status = 7


class WrongStateError(SasukaError, RuntimeError):
    """Calls came in an order that makes no sense."""

    status = 8


class BusyError(SasukaError, RuntimeError):
    """The object is in use by another call."""

    status = 9


class CancelledError(SasukaError):
    """A progress callback asked to stop."""

    status = 10


class BufferTooSmallError(SasukaError, ValueError):
    """A buffer was too small for a result."""

    status = 11


BY_STATUS: dict[int, type[SasukaError]] = {kind.status: kind for kind in SasukaError.__subclasses__()}
