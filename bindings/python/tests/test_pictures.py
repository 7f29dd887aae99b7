"""Preprocessing against Pillow, which nobody here wrote, over random pictures and sizes."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

import sasuka
from sasuka import _library
from sasuka.pictures import Preprocessing

Image = pytest.importorskip("PIL.Image")

#: Levels themselves come out.
LEVELS = {"mean": (0.0,) * 3, "std": (1 / 255,) * 3}
GREY = {"channels": 1, "mean": (0.0,), "std": (1 / 255,)}


def picture(random: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Noise, or noise that has been smoothed: edges and plains."""
    noise = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    if random.random() < 0.5:
        coarse = Image.fromarray(noise[: height // 8 + 1, : width // 8 + 1].squeeze(axis=2 if channels == 1 else ()))
        noise = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).reshape(height, width, channels)
    return noise


def resized(array: np.ndarray, size: int, kind: str) -> np.ndarray:
    """What Pillow makes of it: the shorter side is `size`."""
    height, width = array.shape[:2]
    other = int(size * max(height, width) / min(height, width))
    target = (size, other) if width <= height else (other, size)
    image = Image.fromarray(array.squeeze(axis=2) if array.shape[2] == 1 else array)
    result = image if image.size == target else image.resize(target, Image.Resampling[kind.upper()])
    return np.asarray(result).reshape(target[1], target[0], -1)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_pillows(kind: str, channels: int) -> None:
    random = np.random.default_rng(channels)
    for _ in range(40):
        # Both shrink and grow, some to the size they have. Pillow before 13 resamples tall pictures in the other order.
        short, stretch = int(random.integers(1, 120)), float(random.uniform(1, 1.9))
        sides = (short, int(short * stretch)) if random.random() < 0.5 else (int(short * stretch), short)
        size = short if random.random() < 0.1 else int(random.integers(1, 120))
        array = picture(random, *sides, channels)
        expected = resized(array, size, kind)
        how = Preprocessing(resize_size=size, crop_size=0, interpolation=kind, **(LEVELS if channels == 3 else GREY))
        found = how(array)[0].transpose(1, 2, 0)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1.01, (sides, size)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_tall_pictures_are_resampled_as_pillow_does(kind: str) -> None:
    pillow = pytest.importorskip("PIL")
    if int(pillow.__version__.split(".")[0]) < 13:
        pytest.skip(f"Pillow {pillow.__version__} resamples columns first; rows of tall pictures come first since 13")
    random = np.random.default_rng(5)
    for height, width, size in [(300, 60, 40), (400, 100, 33), (90, 200, 50), (200, 40, 90), (130, 50, 49)]:
        array = picture(random, height, width, 3)
        found = Preprocessing(resize_size=size, crop_size=0, interpolation=kind, **LEVELS)(array)[0]
        assert np.abs(found.transpose(1, 2, 0) - resized(array, size, kind)).max() < 1.01, (height, width, size)


def test_cutting_rounds_and_pads_as_torchvision_does() -> None:
    array = np.arange(1, 8 * 9 + 1, dtype=np.uint8).reshape(8, 9)
    how = Preprocessing(resize_size=0, crop_size=6, **GREY)
    # int(round((9 - 6) / 2)) is 2, to the even number; of 9 to 4 it is 2, too.
    np.testing.assert_array_equal(np.rint(how(array)[0, 0]), array[1:7, 2:8])
    np.testing.assert_array_equal(np.rint(how(array, crop_size=4)[0, 0]), array[2:6, 2:6])
    padded = np.zeros((13, 13))
    padded[2:10, 2:11] = array
    np.testing.assert_array_equal(np.rint(how(array, crop_size=13)[0, 0]), padded)


def test_numbers_are_normalised_in_float32() -> None:
    model = sasuka.create_model("resnet18", num_classes=2)
    array = picture(np.random.default_rng(3), 300, 400, 3)
    cut = resized(array, 256, "bilinear")[16:240, 58:282]
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    expected = ((cut.astype(np.float32) / np.float32(255) - mean) / deviation).transpose(2, 0, 1)
    np.testing.assert_array_equal(model.preprocess(array), expected[np.newaxis])
    assert model.preprocess([array, array[:, :, 0]], resize_size=40, crop_size=32).shape == (2, 3, 32, 32)


def test_grey_and_colour_pictures_go_to_either_kind_of_network() -> None:
    random = np.random.default_rng(4)
    colour, grey = picture(random, 70, 50, 3), picture(random, 70, 50, 1)
    plain = Preprocessing(resize_size=32, crop_size=32, **LEVELS)
    np.testing.assert_array_equal(plain(grey), plain(np.repeat(grey, 3, axis=2)))
    single = Preprocessing(resize_size=32, crop_size=32, **GREY)
    np.testing.assert_array_equal(single(colour), single(np.asarray(Image.fromarray(colour).convert("L"))))
    narrow = sasuka.create_model("resnet18", num_classes=2, in_channels=1).preprocessing()
    assert narrow.channels == 1 and narrow.crop_size == 224
    assert narrow.mean == pytest.approx((0.449,)) and narrow.std == pytest.approx((0.226,))


def test_pictures_are_read_where_they_lie() -> None:
    array = picture(np.random.default_rng(6), 60, 80, 3)
    how = Preprocessing(resize_size=32, crop_size=32)
    expected = how(np.ascontiguousarray(array[10:50, 5:65]))
    np.testing.assert_array_equal(how(array[10:50, 5:65]), expected)
    np.testing.assert_array_equal(how(Image.fromarray(array[10:50, 5:65])), expected)
    np.testing.assert_array_equal(how(Image.fromarray(array[10:50, 5:65]).convert("RGBA")), expected)
    np.testing.assert_array_equal(how(np.stack([array, array])), how([array, Image.fromarray(array)]))
    mirrored = array[::-1, ::-1]
    np.testing.assert_array_equal(how(mirrored), how(np.ascontiguousarray(mirrored)))


def test_recipes_are_torchvisions() -> None:
    def sizes(name: str, weights: str | None = None) -> tuple[int, int, str]:
        found = sasuka.preprocessing(name, weights)
        return found.resize_size, found.crop_size, found.interpolation

    assert sizes("alexnet") == (256, 224, "bilinear")
    assert sizes("resnet50") == (232, 224, "bilinear") and sizes("resnet50", "IMAGENET1K_V1") == (256, 224, "bilinear")
    assert sizes("inception_v3") == (342, 299, "bilinear")
    assert sizes("efficientnet_b1") == (255, 240, "bilinear")
    assert sizes("efficientnet_b1", "IMAGENET1K_V1") == (256, 240, "bicubic")
    assert sizes("efficientnet_b7") == (600, 600, "bicubic")
    assert sizes("regnet_y_128gf") == (384, 384, "bicubic")
    assert sizes("regnet_y_16gf", "IMAGENET1K_SWAG_LINEAR_V1") == (224, 224, "bicubic")
    for name in sasuka.architectures():
        crop = sasuka.preprocessing(name).crop_size
        assert crop in (32, 224, 240, 288, 299, 300, 380, 384, 456, 528, 600), name
    # White is -0.1 and black 1.175, in a margin of 2.
    digits = sasuka.preprocessing("lenet5")(np.full((28, 28), 255, np.uint8))
    assert digits.shape == (1, 1, 32, 32)
    np.testing.assert_allclose([digits[0, 0, 0, 0], digits[0, 0, 2, 2]], [-0.1, 1.175], rtol=1e-6)


def test_what_makes_no_sense_is_an_error() -> None:
    how = Preprocessing()
    with pytest.raises(sasuka.NotFoundError, match="resnet18 has no weights called \"IMAGENET1K_V2\""):
        sasuka.preprocessing("resnet18", "IMAGENET1K_V2")
    graph = sasuka.Graph((3, 8, 8))
    with pytest.raises(sasuka.NotFoundError, match="made from a graph"):
        graph.model(graph.linear(graph.flatten(graph.input), "fc", 2)).preprocessing()
    with pytest.raises(sasuka.UnsupportedError, match="takes 4 channels"):
        sasuka.create_model("alexnet", in_channels=4).preprocessing()
    with pytest.raises(sasuka.InvalidArgumentError, match="uint8"):
        how(np.zeros((4, 4, 3)))
    with pytest.raises(sasuka.InvalidArgumentError, match=r"shape \(4, 4, 2\)"):
        how(np.zeros((4, 4, 2), np.uint8))
    with pytest.raises(sasuka.InvalidArgumentError, match="no pictures"):
        how([])
    with pytest.raises(sasuka.InvalidArgumentError, match="height 0 and width 4"):
        how(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(sasuka.InvalidArgumentError, match="std 0 of channel 1"):
        Preprocessing(std=(1.0, 0.0, 1.0))(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(sasuka.InvalidArgumentError, match="resize_size is 70000"):
        Preprocessing(resize_size=70000)(np.zeros((4, 4, 3), np.uint8))


HOSTILE = [
    ({"height": 0}, "height 0"),
    ({"height": -1}, "height -1"),
    ({"width": 2**40}, "width 1099511627776"),
    ({"height": 2**63 - 1}, "height 9223372036854775807"),
    ({"channels": 2}, "2 channels"),
    ({"channels": -3}, "-3 channels"),
    ({"row_bytes": 11}, "row_bytes is 11; 0 or at least 12"),
    ({"row_bytes": -12}, "row_bytes is -12"),
    ({"row_bytes": 2**62}, "row_bytes is 4611686018427387904"),
    ({"pixels": None}, "pixels is NULL"),
]


@pytest.mark.parametrize(("fields", "message"), HOSTILE)
def test_hostile_sizes_are_errors(fields: dict[str, int | None], message: str) -> None:
    levels = np.zeros((4, 4, 3), np.uint8)
    given = _library.Picture(levels.ctypes.data, 4, 4, 3, 12)
    for name, value in fields.items():
        setattr(given, name, value)
    how = _library.defaults(_library.Preprocessing, "sasuka_preprocessing_init")
    output = np.full((1, 3, 224, 224), 7, np.float32)
    tensor = sasuka.tensors.borrow_output(output)
    with pytest.raises(sasuka.InvalidArgumentError, match=message):
        _library.lib.sasuka_preprocess(ctypes.byref(how), ctypes.byref(given), 1, tensor.pointer)
    assert (output == 7).all()


def test_files_are_opened(tmp_path: Path) -> None:
    pixels = picture(np.random.default_rng(3), 40, 50, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    steps = sasuka.preprocessing("resnet18")
    expected = steps(pixels)
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), [tmp_path / "a.png"]):
        np.testing.assert_array_equal(steps(given), expected)
    np.testing.assert_array_equal(steps([str(tmp_path / "a.png"), pixels]), np.concatenate([expected, expected]))
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(sasuka.FormatError, match="b.png: no picture in a format that Pillow knows"):
        steps(tmp_path / "b.png")
    with pytest.raises(sasuka.FileError, match="c.png cannot be read"):
        steps("c.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
def test_files_that_are_cut_off_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(picture(np.random.default_rng(3), 90, 80, 3)).save(path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        for read in (sasuka.preprocessing("resnet18"), sasuka.data.read_picture):
            with pytest.raises(sasuka.FormatError, match=f"cut.{suffix}: "):
                read(path)
