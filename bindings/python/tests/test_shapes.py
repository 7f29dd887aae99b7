"""Shape questions against PyTorch's answers (Tests/Golden/sizes.json)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sasuka

CASES = json.loads((Path(__file__).resolve().parents[3] / "Tests" / "Golden" / "sizes.json").read_text())


@pytest.mark.parametrize("operator", ["convolution", "pooling", "transposed_convolution", "same"])
def test_sizes_are_pytorchs(operator: str) -> None:
    cases = [case[1:] for case in CASES if case[0] == operator]
    assert len(cases) >= 15
    for size, kernel, stride, dilation, before, after, output_padding, output in cases:
        if operator == "transposed_convolution":
            found = sasuka.transposed_output_size(size, kernel, stride, (before, after), dilation, output_padding)
        elif operator == "same":
            assert sasuka.resolve_padding("same", size, kernel, stride, dilation) == (before, after)
            found = sasuka.window_output_size(size, kernel, stride, (before, after), dilation)
        else:
            found = sasuka.window_output_size(
                size, kernel, stride, (before, after), dilation, ceil_mode=operator == "pooling"
            )
        assert found == output, (size, kernel, stride, dilation, before, after, output_padding)


def test_full_padding_shows_every_overlap_and_valid_none_of_the_edge() -> None:
    for size, kernel, dilation in [(5, 3, 1), (8, 5, 1), (9, 3, 2)]:
        extent = dilation * (kernel - 1) + 1
        assert sasuka.window_output_size(size, kernel, padding=extent - 1, dilation=dilation) == size + extent - 1
        assert sasuka.resolve_padding("full", size, kernel, dilation=dilation) == (extent - 1, extent - 1)
        assert sasuka.resolve_padding("valid", size, kernel, dilation=dilation) == (0, 0)
        assert sasuka.window_output_size(size, kernel, dilation=dilation) == size - extent + 1


def test_full_padding_is_numpy_s_convolution() -> None:
    """Along one axis; a convolution layer does not mirror its kernel, NumPy does."""
    graph = sasuka.Graph((1, 1, 7))
    model = graph.model(graph.conv2d(graph.input, "conv", 1, (1, 3), padding="full", bias=False))
    x = np.random.default_rng(0).standard_normal((1, 1, 1, 7), dtype=np.float32)
    kernel = model.state_dict()["conv.weight"].ravel()
    np.testing.assert_allclose(model(x).ravel(), np.convolve(x.ravel(), kernel[::-1], "full"), rtol=1e-5, atol=1e-6)
    with pytest.raises(sasuka.InvalidArgumentError, match="padding"):
        graph.max_pool2d(graph.input, (1, 3), padding="full")


def test_a_layer_with_asymmetric_padding_has_the_size_that_the_arithmetic_says() -> None:
    graph = sasuka.Graph((1, 9, 10))
    x = graph.conv2d(graph.input, "conv", 1, (3, 2), stride=2, padding=(1, 0, 2, 1), dilation=(2, 3))
    rows = sasuka.window_output_size(9, 3, 2, (1, 0), 2)
    columns = sasuka.window_output_size(10, 2, 2, (2, 1), 3)
    assert x.shape == (1, 1, rows, columns) == (1, 1, 3, 5)
    y = graph.conv_transpose2d(x, "up", 1, (3, 2), stride=2, padding=(1, 0, 0, 1), output_padding=1)
    assert y.shape[2:] == (
        sasuka.transposed_output_size(3, 3, 2, (1, 0), output_padding=1),
        sasuka.transposed_output_size(5, 2, 2, (0, 1), output_padding=1),
    )
