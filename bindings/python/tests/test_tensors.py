"""Memory of others is read and written where it lies."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sasuka
from sasuka.tensors import as_array, borrow_labels


class OnlyDLPack:
    """A tensor of another library: the protocol, and nothing else."""

    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self._array, self._device = array, device

    def __dlpack__(self) -> Any:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device, 0


class OnlyInterface:
    def __init__(self, array: np.ndarray) -> None:
        self._kept = array
        self.__array_interface__ = array.__array_interface__


NUMBERS = st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])


@given(hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4), elements=st.integers(0, 99)))
def test_dlpack_is_the_same_memory(array: np.ndarray) -> None:
    for given_array in (array, array.T, array[..., ::2] if array.ndim else array):
        found = as_array(OnlyDLPack(given_array))
        assert found.dtype == array.dtype and found.shape == given_array.shape
        np.testing.assert_array_equal(found, given_array)
        assert np.shares_memory(found, given_array) or given_array.size == 0


def test_dlpack_keeps_its_memory_alive() -> None:
    found = as_array(OnlyDLPack(np.arange(1000.0)))
    gc.collect()
    np.testing.assert_array_equal(found, np.arange(1000.0))


@pytest.mark.parametrize("wrap", [OnlyDLPack, OnlyInterface])
def test_tensors_of_others_go_in_and_out(wrap: Any, model: sasuka.Model, pictures: np.ndarray) -> None:
    expected = model(pictures)
    np.testing.assert_array_equal(model(wrap(pictures)), expected)
    written = np.zeros((6, 5), dtype=np.float32)
    out = wrap(written)
    assert model(wrap(pictures), out=out) is out
    np.testing.assert_array_equal(written, expected)
    session = model.session()
    assert session(wrap(pictures[:, :, ::-1, ::-1]), out=out) is out
    np.testing.assert_array_equal(written, model(pictures[:, :, ::-1, ::-1]))
    trainer = sasuka.Trainer(model)
    assert trainer.evaluate(wrap(pictures), wrap(np.zeros(6, dtype=np.int16))).samples == 6


def test_what_leaves_is_dlpack_too(model: sasuka.Model, pictures: np.ndarray) -> None:
    logits = model(pictures)
    assert np.shares_memory(np.from_dlpack(logits), logits)


def test_pytorch_s_tensors(model: sasuka.Model, pictures: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    expected = model(pictures)
    tensor = torch.from_numpy(pictures)
    np.testing.assert_array_equal(model(tensor), expected)
    np.testing.assert_array_equal(model(tensor.to(memory_format=torch.channels_last)), expected)
    out = torch.zeros(6, 5)
    assert model(tensor, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)
    assert torch.equal(torch.from_dlpack(model(tensor)), out)
    halves = tensor.bfloat16()
    np.testing.assert_array_equal(model(halves), model(halves.float()))
    np.testing.assert_array_equal(model(tensor.half()), model(tensor.half().float()))
    with pytest.raises(sasuka.InvalidArgumentError, match="bfloat16"):
        model(tensor, out=out.bfloat16())
    # What has a history is read without it, but not written.
    np.testing.assert_array_equal(model(torch.nn.Parameter(tensor)), expected)
    with pytest.raises(BufferError, match="require gradient"):
        model(tensor, out=out.clone().requires_grad_())
    np.testing.assert_array_equal(model(torch._neg_view(-tensor)), expected)
    for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        state = {name: torch.nn.Parameter(torch.from_numpy(array).to(kind), False) for name, array in model.state_dict().items()}
        model.load_state_dict(state)
    trainer = sasuka.Trainer(model)
    assert trainer.step(tensor, torch.tensor([0, 1, 2, 3, 4, 0])) > 0


@pytest.mark.parametrize("kind", ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u2"])
def test_labels_of_any_integer_type(kind: str, model: sasuka.Model, pictures: np.ndarray) -> None:
    labels = np.array([0, 1, 1, 0, 1, 0])
    trainer = sasuka.Trainer(model)
    assert trainer.evaluate(pictures, labels.astype(kind)) == trainer.evaluate(pictures, labels)
    assert trainer.evaluate(pictures, [int(label) for label in labels]) == trainer.evaluate(pictures, labels)
    spread = np.zeros(12, dtype=kind)
    spread[::2] = labels
    np.testing.assert_array_equal(borrow_labels(spread[::2]).array, labels)


def test_what_cannot_be_shared_is_said(model: sasuka.Model, pictures: np.ndarray) -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match="device of DLPack's kind 2; move it to the CPU"):
        model(OnlyDLPack(pictures, device=2))
    with pytest.raises(sasuka.InvalidArgumentError, match="out is a list"):
        model(pictures, out=[[0.0] * 5] * 6)
    with pytest.raises(sasuka.InvalidArgumentError, match="out is int32"):
        model(pictures, out=np.zeros((6, 5), dtype=np.int32))
