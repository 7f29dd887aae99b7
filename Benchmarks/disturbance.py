"""How much other programs, and other guests of the same host, disturb this machine at the moment."""

from __future__ import annotations

import time

import numpy as np


class Disturbance:
    """A fixed piece of work that needs what networks need: multiply-adds out of the near caches, and memory.

    It is NumPy's alone, so that it says the same whichever engine is timed beside it.
    """

    def __init__(self) -> None:
        # Small enough for NumPy's BLAS to stay on one thread, and to lie in the second cache together.
        self._factors = np.ones((32, 48, 48), dtype=np.float32)
        self._products = np.empty_like(self._factors)
        # More than a core's share of the last cache.
        self._from = np.ones(4 << 20, dtype=np.float32)
        self._to = np.empty_like(self._from)

    def now(self) -> float:
        """Milliseconds that the work takes: the more, the more disturbed the machine is."""
        begin = time.perf_counter()
        for _ in range(10):
            np.matmul(self._factors, self._factors, out=self._products)
        np.copyto(self._to, self._from)
        return (time.perf_counter() - begin) * 1e3
