"""Real pictures are found where they are said to be."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import sasuka
from sasuka import _words, samples


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five pictures laid out as Fashion-MNIST, and nothing else to be found."""
    place = tmp_path / "five"
    place.mkdir()
    for part in ("train", "t10k"):
        pixels = bytes(range(5)) * 784
        (place / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 5, 28, 28) + pixels)
        (place / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 5) + bytes([9, 0, 1, 2, 3]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SASUKA_FASHION_MNIST", raising=False)
    return place


def test_fashion_mnist_is_found_by_argument_variable_and_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(sasuka.FileError, match="cache/sasuka/fashion-mnist holds neither .* SASUKA_FASHION_MNIST"):
        samples.fashion_mnist()
    assert len(samples.fashion_mnist(folder=folder)) == 5
    monkeypatch.setenv("SASUKA_FASHION_MNIST", str(folder))
    found = samples.fashion_mnist(train=False, count=2)
    assert found.pictures.shape == (2, 1, 28, 28) and found.pictures.dtype == np.uint8
    assert [found.classes[number] for number in found.targets()] == ["ankle boot", "T-shirt"]
    assert len(samples.pictures(count=3)) == 3
    assert samples.pictures(language="lt").classes[9] == "aulinukas"
    with pytest.raises(sasuka.InvalidArgumentError, match="language 'xx'; one of 'en', 'lt' is expected"):
        samples.fashion_mnist(language="xx")
    monkeypatch.delenv("SASUKA_FASHION_MNIST")
    cache = samples.fashion_mnist_folder()
    cache.parent.mkdir(parents=True)
    folder.rename(cache)
    assert len(samples.pictures()) == 5


@pytest.mark.parametrize("count", [0, -1, 6])
def test_more_pictures_than_there_are_is_said(folder: Path, count: int) -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match=f"count is {count}; 1 to 5"):
        samples.fashion_mnist(folder=folder, count=count)


def test_digits_take_the_place_of_fashion_mnist(folder: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    training, validation = samples.digits(), samples.pictures(train=False, count=10_000)
    assert (len(training), len(validation)) == (1437, 360)
    assert training.pictures.shape == (1437, 1, 28, 28) and training.pictures.max() == 255
    small = datasets.load_digits().images
    np.testing.assert_allclose(validation.pictures[:, 0, 3:26:3, 3:26:3] * (16 / 255), small[1437:], atol=0.04)
    np.testing.assert_array_equal(training.targets(), datasets.load_digits().target[:1437])
    assert not training.pictures[:, :, [0, 1, 26, 27]].any() and validation.classes == tuple("0123456789")


def test_classes_have_a_name_in_every_language_of_the_plots() -> None:
    assert set(samples.FASHION_CLASSES_IN) == set(_words.LANGUAGES)
    for names in samples.FASHION_CLASSES_IN.values():
        assert len(set(names)) == 10
