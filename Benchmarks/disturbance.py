"""How much other programs, and other guests of the same host, disturb this processor at the moment."""

from __future__ import annotations

import time

import numpy as np


class Disturbance:
    """A fixed piece of work that needs what networks need most: multiply-adds out of the near caches, where another guest that
    has the core's other half takes a quarter of the speed.

    It is NumPy's alone, so that it says the same whichever engine is timed beside it. A copy of memory is no part of it: its
    time has nothing to do with that of a network beside it (rank correlation -0.05; this one 0.78), and would hide the rest.
    """

    def __init__(self) -> None:
        # Small enough for NumPy's BLAS to stay on one thread, and to lie in the second cache together.
        self._factors = np.ones((32, 48, 48), dtype=np.float32)
        self._products = np.empty_like(self._factors)
        # The first time is that of new memory.
        self.now()

    def now(self) -> float:
        """Milliseconds that the work takes: the more, the more disturbed the processor is."""
        begin = time.perf_counter()
        for _ in range(10):
            np.matmul(self._factors, self._factors, out=self._products)
        return (time.perf_counter() - begin) * 1e3
