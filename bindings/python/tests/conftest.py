from __future__ import annotations

import numpy as np
import pytest

import sasuka


def build(seed: int = 1, threads: int = 0, dropout: float = 0.0) -> sasuka.Model:
    """A small residual network for pictures [3, 12, 12] and 5 classes."""
    graph = sasuka.Graph((3, 12, 12))
    x = graph.activation(graph.batch_norm2d(graph.conv2d(graph.input, "conv1", 8, 3, padding=1), "bn1"), "relu")
    y = graph.batch_norm2d(graph.conv2d(x, "conv2", 8, 3, padding="same", bias=False), "bn2")
    x = graph.activation(x + y, "relu")
    x = graph.flatten(graph.max_pool2d(x, 2))
    x = graph.linear(graph.dropout(x, dropout), "fc", 5)
    return graph.model(x, seed=seed, threads=threads)


@pytest.fixture
def model() -> sasuka.Model:
    return build()


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((6, 3, 12, 12), dtype=np.float32)


@pytest.fixture
def labels() -> np.ndarray:
    return np.array([0, 1, 2, 3, 4, 0])
