"""Ctrl-C: how it stops long calls of the library, and what it waits for."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import signal
import threading
from threading import get_ident
from typing import Any, Callable, Optional, TypeVar, cast

from ._library import ProgressFunction
from .errors import CancelledError

Result = TypeVar("Result")


def _handler() -> Optional[Callable[[int, Any], object]]:
    """The host's own handler of Ctrl-C where it would run now: on the main thread."""
    # The module below `signal` does the same without looking names up in enumerations, which takes longer than a small
    # network.
    theirs = _signal.getsignal(signal.SIGINT)
    return theirs if get_ident() == threading.main_thread().ident and callable(theirs) else None


class Interruptible:
    """Lets Ctrl-C stop a long call: the library asks this object as it goes.

    While a call runs on the main thread, the host's own handler of SIGINT runs inside ours; what it raises is kept, the
    call is told to stop, and the exception goes on once the library has returned.
    """

    def __init__(self) -> None:
        self._caught: BaseException | None = None
        self.callback = ProgressFunction(self._goes_on)

    def _goes_on(self, progress: Any, user_data: Any) -> bool:
        # What was caught concerns the main thread's call; others may run the same model.
        return self._caught is None or get_ident() != threading.main_thread().ident

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What the function returns; raises what stopped it."""
        theirs = _handler()
        if theirs is None:
            return function(*arguments)

        def handle(number: int, frame: Any) -> None:
            try:
                theirs(number, frame)
            except BaseException as exception:  # KeyboardInterrupt, mostly
                self._caught = exception

        _signal.signal(signal.SIGINT, handle)
        result: Any = None
        try:
            result = function(*arguments)
        except CancelledError:
            if self._caught is None:
                raise
        finally:
            _signal.signal(signal.SIGINT, theirs)
            caught, self._caught = self._caught, None
        if caught is not None:
            raise caught
        return cast(Result, result)
