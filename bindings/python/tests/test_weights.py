"""Loading weights: what fits, what does not, and the first layer for other numbers of channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import build

import sasuka


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


def test_the_report_names_what_does_not_fit(tmp_path: Path) -> None:
    model = build(seed=1)
    before = model.state_dict()
    arrays = {name: array + 1 for name, array in before.items() if name != "bn1.weight"}
    arrays["fc.bias"], arrays["extra"] = np.zeros(4, np.float32), np.zeros(1, np.float32)
    path = save(tmp_path / "w.npz", arrays)
    expected = sasuka.IncompatibleKeys(["bn1.weight"], ["extra"], ["fc.bias"])
    for strict in (True, False):
        with pytest.raises(sasuka.MismatchError, match=r"missing: bn1.weight; unexpected: extra; \"fc.bias\"") as error:
            model.load_weights(path, strict=strict)
        assert error.value.keys == expected
        with pytest.raises(sasuka.MismatchError, match="fc.bias has shape") as error:
            model.load_state_dict(arrays, strict=strict)
        assert error.value.keys == expected
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert model.load_weights(path, strict=False, skip_mismatched=True) == expected
    after = model.state_dict()
    for name in before:
        kept = name in ("fc.bias", "bn1.weight")
        np.testing.assert_array_equal(after[name], before[name] if kept else arrays[name])


def test_what_fits_has_an_empty_report(tmp_path: Path) -> None:
    model = build(seed=1)
    model.save_weights(tmp_path / "w.safetensors")
    assert model.load_weights(tmp_path / "w.safetensors") == ([], [], [])
    assert model.load_state_dict(model.state_dict()) == ([], [], [])
    part = {name: array for name, array in model.state_dict().items() if name.startswith("fc")}
    keys = model.load_state_dict(part, strict=False)
    # Counters may be missing where the file has none.
    assert keys.missing_keys == [
        name for name in model.state_dict() if not name.startswith("fc") and not name.endswith("num_batches_tracked")
    ]
    with pytest.raises(sasuka.MismatchError) as error:
        model.load_weights(save(tmp_path / "w.npz", part))
    assert error.value.keys == keys


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_equal_channels_give_what_they_gave_before(tmp_path: Path, channels: int) -> None:
    published = sasuka.create_model("cifar_resnet20", num_classes=4, seed=1)
    published.save_weights(tmp_path / "w.safetensors")
    kernel = published.state_dict()["conv1.weight"]
    grey = np.random.default_rng(0).standard_normal((2, 1, 32, 32), dtype=np.float32)
    logits = published(np.repeat(grey, 3, axis=1))
    model = sasuka.create_model("cifar_resnet20", num_classes=4, in_channels=channels, seed=2)
    before = model.state_dict()
    with pytest.raises(sasuka.MismatchError, match="conv1.weight") as error:
        model.load_weights(tmp_path / "w.safetensors")
    assert error.value.keys.mismatched_keys == ["conv1.weight"]
    np.testing.assert_array_equal(model.state_dict()["conv1.weight"], before["conv1.weight"])
    model.load_weights(tmp_path / "w.safetensors", channels="average")
    adapted = model.state_dict()["conv1.weight"]
    expected = np.repeat(kernel.mean(axis=1, keepdims=True, dtype=np.float64), channels, axis=1) * (3 / channels)
    np.testing.assert_allclose(adapted, expected, rtol=3e-7, atol=1e-9)
    scale = np.abs(logits).max()
    np.testing.assert_allclose(model(np.repeat(grey, channels, axis=1)), logits, atol=1e-5 * scale)
    model.load_weights(tmp_path / "w.safetensors", channels="repeat")
    np.testing.assert_allclose(
        model.state_dict()["conv1.weight"], kernel[:, np.arange(channels) % 3] * np.float32(3 / channels), rtol=3e-7
    )


def test_adaptations_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    graph = sasuka.Graph((4,))
    model = graph.model(graph.linear(graph.input, "fc", 2))
    data = model.save_weights()
    with pytest.raises(sasuka.InvalidArgumentError, match="ungrouped convolution"):
        model.load_weights(data, channels="average")
    with pytest.raises(ValueError, match="channels 'sum'"):
        model.load_weights(data, channels="sum")


def test_names_are_compared_byte_by_byte(tmp_path: Path) -> None:
    # Each pair looks the same, and is the same text for Unicode, but two names for Python and for every file.
    pairs = [("\u00e9", "e\u0301"), ("\ud55c", "\u1112\u1161\u11ab"), ("\u212b", "\u00c5")]
    names = [name for pair in pairs for name in pair]
    graph = sasuka.Graph((2, 4, 4))
    x = graph.input
    for name in names:
        x = graph.conv2d(x, name, 2, 1)
    model = graph.model(x, seed=2)
    state = model.state_dict()
    assert list(state) == [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    assert model.layers()[0].name == names[0]
    changed = {name: array + place for place, (name, array) in enumerate(state.items())}
    for suffix in (".npz", ".safetensors", ".pt"):
        path = tmp_path / f"names{suffix}"
        model.load_state_dict(changed)
        model.save_weights(path)
        model.load_state_dict(state)
        model.load_weights(path)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, changed[name])
    pictures = np.random.default_rng(0).standard_normal((1, 2, 4, 4), np.float32)
    features = model.extract_features(pictures, names)
    assert len({array.tobytes() for array in features.values()}) == len(names)
    with pytest.raises(sasuka.InvalidArgumentError, match="exists already"):
        graph.conv2d(graph.input, names[1], 2, 1)
    # A letter of a pair is not found in place of the two.
    with pytest.raises(sasuka.NotFoundError):
        model.extract_features(pictures, ["e"])
