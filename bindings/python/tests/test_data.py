"""Datasets and batches: what comes out is a function of the seed."""

from __future__ import annotations

import gzip
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sasuka
from sasuka import nn, plots
from sasuka.data import ArrayDataset, DataLoader, Dataset, ImageFolder, find_pictures, idx_dataset, random_split, read_idx
from sasuka.data import read_picture
from sasuka.transforms import Batch, Cutout, Mixup, Normalize, RandomCrop, RandomHorizontalFlip

AUGMENTATION = [RandomCrop(2), RandomHorizontalFlip(), Cutout(3), Mixup(0.4, 23), Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])]


def numbered(count: int = 23) -> ArrayDataset:
    """Pictures whose pixels all are their number."""
    pictures = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 3, 8, 8))
    return ArrayDataset(pictures, np.arange(count))


def epochs(loader: DataLoader, count: int = 2) -> list[Batch]:
    return [batch for _ in range(count) for batch in loader]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_changes_nothing(workers: int) -> None:
    expected = epochs(DataLoader(numbered(), 4, True, AUGMENTATION, seed=7))
    found = epochs(DataLoader(numbered(), 4, True, AUGMENTATION, seed=7, workers=workers))
    assert len(found) == len(expected) == 12
    for (pictures, targets), (wanted, classes) in zip(found, expected):
        assert pictures.dtype == np.float32
        np.testing.assert_array_equal(pictures, wanted)
        np.testing.assert_array_equal(targets, classes)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_an_epoch_holds_every_picture_once(count: int, size: int, shuffle: bool, drop: bool, seed: int) -> None:
    loader = DataLoader(numbered(count), size, shuffle, seed=seed, drop_last=drop)
    batches = list(loader)
    assert len(batches) == len(loader)
    seen = [int(target) for _, targets in batches for target in targets]
    for pictures, targets in batches:
        np.testing.assert_array_equal(np.rint(pictures[:, 0, 0, 0] * 255), targets)
    kept = count - count % size if drop else count
    assert len(set(seen)) == len(seen) == kept
    if not shuffle:
        assert seen == list(range(kept))


def test_epochs_differ_and_seeds_differ() -> None:
    loader = DataLoader(numbered(), 23, True, seed=1)
    first, second = (targets.tolist() for _, targets in epochs(loader))
    (other,) = (targets.tolist() for _, targets in DataLoader(numbered(), 23, True, seed=2))
    assert len({tuple(order) for order in (first, second, other)}) == 3
    loader.epoch = 0
    assert next(iter(loader))[1].tolist() == first


def test_flips_mirror_and_crops_shift() -> None:
    pictures = np.random.default_rng(0).random((200, 2, 5, 6), dtype=np.float32)
    random = np.random.default_rng(1)
    targets = np.arange(200)
    flipped, same = RandomHorizontalFlip(0.3)(pictures, targets, random)
    mirrored = [not np.array_equal(a, b) for a, b in zip(flipped, pictures)]
    for picture, before, turned in zip(flipped, pictures, mirrored):
        np.testing.assert_array_equal(picture, before[..., ::-1] if turned else before)
    assert 30 < sum(mirrored) < 90 and same is targets
    cut, _ = RandomCrop(1, fill=9)(pictures, targets, random)
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=9)
    places = set()
    for picture, wide in zip(cut, padded):
        (place,) = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if np.array_equal(picture, wide[:, top : top + 5, left : left + 6])
        ]
        places.add(place)
    assert len(places) == 9


def test_cutout_fills_squares() -> None:
    pictures, targets = np.ones((100, 3, 8, 8), dtype=np.float32), np.zeros(100)
    holes = Cutout(4, fill=-1)(pictures, targets, np.random.default_rng(0))[0] == -1
    assert (pictures == 1).all()
    areas = holes[:, 0].sum(axis=(1, 2))
    assert areas.max() == 16 and areas.min() >= 4
    np.testing.assert_array_equal(holes[:, 0], holes[:, 2])


def test_mixup_blends_pictures_and_classes_by_one_share() -> None:
    count = 1000
    classes = np.arange(count) % 2
    pictures = np.eye(2, dtype=np.float32)[classes].reshape(count, 2, 1, 1)
    for numbers in (classes, classes.astype(np.uint8), classes == 1):
        mixed, rows = Mixup(0.5, num_classes=2)(pictures, numbers, np.random.default_rng(0))
        assert rows.dtype == np.float32 and (rows >= 0).all()
        np.testing.assert_array_equal(rows, mixed[:, :, 0, 0])
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
        assert 0.2 < np.mean((rows > 0.05) & (rows < 0.95)) < 0.8
    rows = np.eye(2)[classes]
    _, blended = Mixup(0.5)(pictures, rows, np.random.default_rng(0))
    assert blended.dtype == np.float64
    np.testing.assert_allclose(blended, mixed[:, :, 0, 0], atol=1e-6)
    maps = np.arange(4 * 3 * 2).reshape(4, 3, 2) % 5
    _, places = Mixup(0.5, num_classes=5)(np.ones((4, 1, 3, 2), dtype=np.float32), maps, np.random.default_rng(0))
    assert places.shape == (4, 5, 3, 2)
    np.testing.assert_allclose(places.sum(axis=1), 1, atol=1e-6)


def test_mixup_needs_to_know_the_classes() -> None:
    pictures, random = np.ones((2, 1, 1, 1), dtype=np.float32), np.random.default_rng(0)
    with pytest.raises(sasuka.InvalidArgumentError, match="was not told num_classes, and targets are int64"):
        Mixup()(pictures, np.array([0, 1]), random)
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(sasuka.InvalidArgumentError, match=r"label (3|-1); 0 to 2 is expected"):
            Mixup(num_classes=3)(pictures, np.array(wrong), random)
    with pytest.raises(sasuka.InvalidArgumentError, match="targets are <U1; class numbers or floats"):
        Mixup(num_classes=3)(pictures, np.array(["a", "b"]), random)
    for alpha in (0, -1, float("nan"), float("inf")):
        with pytest.raises(sasuka.InvalidArgumentError, match="alpha is"):
            Mixup(alpha)


def test_normalise_is_the_formula() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 5), dtype=np.uint8)
    found, _ = Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])(pictures, np.zeros(4), np.random.default_rng(0))
    for channel, (mean, std) in enumerate([(0.5, 0.2), (0.4, 0.3), (0.3, 0.4)]):
        np.testing.assert_allclose(found[:, channel], (pictures[:, channel] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_idx_files_are_read_packed_and_unpacked(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    labels = np.array([2, 0, 1], dtype=np.uint8)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, 3) + labels.tobytes())
    data = struct.pack(">HBBIII", 0, 8, 3, 3, 4, 5) + pictures.tobytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    dataset = idx_dataset(tmp_path, classes=["a", "b", "c"])
    np.testing.assert_array_equal(dataset.pictures, pictures[:, None])
    np.testing.assert_array_equal(dataset.targets(), labels)
    with pytest.raises(sasuka.FileError, match="neither t10k-images-idx3-ubyte nor"):
        idx_dataset(tmp_path, train=False)
    numbers = np.array([[1.5, -2.0]])
    (tmp_path / "doubles").write_bytes(struct.pack(">HBBII", 0, 14, 2, 1, 2) + numbers.astype(">f8").tobytes())
    np.testing.assert_array_equal(read_idx(tmp_path / "doubles"), numbers)


@pytest.mark.parametrize("keep", [0, 3, 9, 75])
def test_damaged_idx_files_are_refused(tmp_path: Path, keep: int) -> None:
    data = struct.pack(">HBBIII", 0, 8, 3, 3, 4, 5) + bytes(60)
    path = tmp_path / "images"
    path.write_bytes(data[:keep])
    with pytest.raises(sasuka.FormatError, match=str(path)):
        read_idx(path)
    path.write_bytes(gzip.compress(data)[: 10 + keep // 5])
    with pytest.raises(sasuka.FormatError, match=str(path)):
        read_idx(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of pictures, each of one colour."""
    for name, colour in [("red", (255, 0, 0)), ("green", (0, 255, 0)), ("blue", (0, 0, 255))]:
        (tmp_path / name / "more").mkdir(parents=True)
        Image.new("RGB", (20, 10), colour).save(tmp_path / name / "wide.png")
        Image.new("RGB", (10, 30), colour).save(tmp_path / name / "more" / "tall.PNG")
        (tmp_path / name / "notes.txt").write_text("no picture")
    return tmp_path


def test_folders_are_classes(folder: Path) -> None:
    dataset = ImageFolder(folder, size=(6, 8))
    assert dataset.classes == ("blue", "green", "red") and len(dataset) == len(find_pictures(folder)) == 6
    (pictures, classes) = next(iter(DataLoader(dataset, 6, workers=2)))
    assert pictures.shape == (6, 3, 6, 8)
    for picture, number in zip(pictures, classes):
        colour = {"red": 0, "green": 1, "blue": 2}[dataset.classes[number]]
        np.testing.assert_array_equal(picture, np.broadcast_to(np.eye(3)[colour][:, None, None], (3, 6, 8)))
    assert ImageFolder(folder, 4, channels=1)[0][0].shape == (1, 4, 4)
    chosen = ImageFolder(folder, 4, classes=["red", "blue"])
    assert chosen.targets().tolist() == [0, 0, 1, 1]
    some = ImageFolder(folder, 4, classes=["red", "violet", "blue"], allow_empty=True)
    assert some.targets().tolist() == [0, 0, 2, 2]


def test_pictures_are_cut_around_the_middle(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "wide.png", 10), np.full((3, 10, 10), 200))
    assert read_picture(tmp_path / "wide.png").shape == (3, 10, 30)
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(sasuka.FormatError, match="broken.png: no picture"):
        read_picture(tmp_path / "broken.png")


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(sasuka.FileError, match="nowhere is no folder"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(sasuka.FileError, match="holds no folders"):
        ImageFolder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(sasuka.FileError, match="empty holds no pictures"):
        ImageFolder(tmp_path)


class Failing(Dataset):
    def __len__(self) -> int:
        return 40

    def batch(self, indices: np.ndarray) -> Batch:
        if 20 in indices:
            raise ValueError("picture 20")
        return np.zeros((len(indices), 1, 2, 2)), indices


@pytest.mark.parametrize("workers", [0, 3])
def test_a_worker_s_error_reaches_the_caller_and_no_thread_stays(workers: int) -> None:
    iterator = iter(DataLoader(Failing(), 4, workers=workers))
    seen = []
    with pytest.raises(ValueError, match="picture 20"):
        for _, indices in iterator:
            seen += indices.tolist()
    assert seen == list(range(20))
    for thread in threading.enumerate():
        if thread.name.startswith("sasuka-data"):
            thread.join(5)
            assert not thread.is_alive()


def test_splits_are_disjoint_and_repeat() -> None:
    train, held_out = random_split(numbered(), 0.2, seed=3)
    assert sorted([*train.targets(), *held_out.targets()]) == list(range(23)) and len(held_out) == 5
    assert random_split(numbered(), 0.2, seed=3)[1].targets().tolist() == held_out.targets().tolist()
    assert train[0][1] == train.targets()[0]
    with pytest.raises(IndexError):
        train[100]


def test_texts_are_classes() -> None:
    dataset = ArrayDataset(np.zeros((3, 4, 4)), ["owl", "cat", "owl"])
    assert dataset.classes == ("cat", "owl") and dataset.targets().tolist() == [1, 0, 1]


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match="3 pictures and 2 targets"):
        ArrayDataset(np.zeros((3, 1, 2, 2)), np.zeros(2))
    with pytest.raises(sasuka.InvalidArgumentError, match="batch_size is 0"):
        DataLoader(numbered(), 0)
    with pytest.raises(sasuka.InvalidArgumentError, match="size is 9 x 9; the padded pictures are 8 x 8"):
        next(iter(DataLoader(numbered(), 2, transform=[RandomCrop(0, size=9)])))


class Pairs:
    """As torch.utils.data.Dataset: a picture and its class by number."""

    classes = ("dark", "bright")

    def __init__(self, pictures: np.ndarray, labels: np.ndarray) -> None:
        self.pictures, self.labels = pictures, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        return self.pictures[number], int(self.labels[number])


class Batches:
    """As torch.utils.data.DataLoader, which shuffles."""

    batch_size = 8

    def __init__(self, dataset: Pairs) -> None:
        self.dataset, self.epoch = dataset, 0

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        order = np.random.default_rng(self.epoch).permutation(len(self.dataset))
        self.epoch += 1
        for start in range(0, len(order), self.batch_size):
            pairs = [self.dataset[int(number)] for number in order[start : start + self.batch_size]]
            yield [np.stack([picture for picture, _ in pairs]), np.array([label for _, label in pairs])]


def bright_or_dark(count: int = 30) -> Pairs:
    random, labels = np.random.default_rng(0), np.arange(count) % 2
    pictures = random.random((count, 1, 8, 8), dtype=np.float32) + labels[:, None, None, None].astype(np.float32)
    return Pairs(pictures, labels)


def small_network() -> sasuka.Model:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).model((1, 8, 8), seed=3)


@pytest.mark.parametrize("kind", [lambda pairs: pairs, Batches])
def test_loaders_and_data_sets_of_others_are_learnt_from(kind: Any) -> None:
    pairs = bright_or_dark()
    learner = sasuka.Learner(small_network(), kind(pairs), kind(pairs), lr=0.05, batch_size=8, mixup=0.1, progress=False)
    assert len(learner.train) == 4 and len(learner.train.dataset) == 30
    history = learner.fit(12)
    assert history[-1]["valid_accuracy"] > 0.9 and len(learner.losses) == 48
    assert learner.evaluate(kind(pairs)).samples == 30 and len(learner.predict(kind(pairs))) == 30
    assert learner.lr_find(1e-5, 1e-2, steps=20).rates and "30 pictures" in repr(learner.train)
    # Whatever order the loader takes: what is drawn has each picture beside its own class.
    axes = plots.confusion_matrix(learner)
    assert [text.get_text() for text in axes.texts] == ["15", "15"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["dark", "bright"]
    titles = [axis.get_title() for axis in plots.top_losses(learner, 3).figure.axes]
    assert len(titles) > 0


def test_data_sets_of_others_are_split_and_batched() -> None:
    pairs = bright_or_dark()
    train, held_out = random_split(pairs, 0.2)
    assert len(train) == 24 and train.classes == pairs.classes
    pictures, labels = next(iter(DataLoader(pairs, 7)))
    np.testing.assert_array_equal(pictures, pairs.pictures[:7])
    np.testing.assert_array_equal(labels, pairs.labels[:7])
    np.testing.assert_array_equal(held_out.targets(), pairs.labels[held_out.indices])


def test_a_shuffling_loader_is_drawn_in_order() -> None:
    pairs = bright_or_dark()
    valid = DataLoader((pairs.pictures, pairs.labels), 8, shuffle=True, drop_last=True)
    learner = sasuka.Learner(small_network(), pairs, valid, lr=0.05, batch_size=8, progress=False)
    learner.fit(12)
    drawn = {text.get_text() for text in plots.confusion_matrix(learner).texts}
    assert drawn == {"15"} and learner.valid is valid and valid.shuffle and valid.drop_last
    assert len(list(valid.in_order())) == 4
