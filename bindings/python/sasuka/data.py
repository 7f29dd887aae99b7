"""Pictures with their classes: from arrays, folders and IDX files; batches of them, shuffled and augmented in threads."""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union

import numpy as np

from . import _elsewhere
from ._library import PathLike
from ._optional import pillow
from .errors import FileError, FormatError, InvalidArgumentError
from .pictures import Preprocessing, open_picture
from .tensors import TensorLike, as_array
from .transforms import Batch, Compose, Transform, scaled

if not TYPE_CHECKING:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.DATA)

#: What a folder's files must end with to be pictures.
PICTURE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class Dataset:
    """Pictures [channels, height, width] and their targets, by number."""

    #: The classes' names; empty where there are none.
    classes: Sequence[str] = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def batch(self, indices: np.ndarray) -> Batch:
        """The pictures [batch, channels, height, width] and targets of some numbers. Called from several threads."""
        raise NotImplementedError

    def targets(self) -> np.ndarray:
        """All targets, in order."""
        raise NotImplementedError

    def __repr__(self) -> str:
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"{type(self).__name__}({len(self)} pictures{classes})"

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} of {len(self)}")
        pictures, targets = self.batch(np.array([index % len(self)]))
        return pictures[0], targets[0]


class ArrayDataset(Dataset):
    """Pictures in memory.

    Parameters
    ----------
    pictures : array_like
        [count, channels, height, width], or [count, height, width] for one channel; uint8 is scaled to 0 to 1 in batches.
    targets : array_like
        As many classes, or numbers where the loss compares numbers. Texts are numbered in alphabetical order.
    classes : sequence of str, optional
        The classes' names; texts bring their own.
    """

    def __init__(self, pictures: TensorLike, targets: TensorLike, classes: Sequence[str] = ()) -> None:
        self.pictures, self._targets, self.classes = as_array(pictures), as_array(targets), tuple(classes)
        if self._targets.dtype.kind in "USO":
            names, self._targets = np.unique(self._targets.astype(str), return_inverse=True)
            self.classes = tuple(str(name) for name in names)
        if self.pictures.ndim == 3:
            self.pictures = self.pictures[:, np.newaxis]
        if self.pictures.ndim not in (2, 4):
            raise InvalidArgumentError(
                f"pictures have shape {list(self.pictures.shape)}; [count, channels, height, width] is expected"
            )
        if self._targets.ndim == 0 or len(self.pictures) != len(self._targets):
            count = 0 if self._targets.ndim == 0 else len(self._targets)
            raise InvalidArgumentError(f"{len(self.pictures)} pictures and {count} targets; as many are expected")

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: np.ndarray) -> Batch:
        return self.pictures[indices], self._targets[indices]

    def targets(self) -> np.ndarray:
        return self._targets


class Subset(Dataset):
    """Some pictures of another dataset, by their numbers."""

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset, self.indices = dataset, np.asarray(indices, dtype=np.int64)
        self.classes = dataset.classes

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: np.ndarray) -> Batch:
        return self.dataset.batch(self.indices[indices])

    def targets(self) -> np.ndarray:
        return self.dataset.targets()[self.indices]


class SupportsPairs(Protocol):
    """A picture and its target by number, as PyTorch's data sets give them."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Any: ...


class PairsDataset(Dataset):
    """What gives a picture and its target by number as a data set."""

    def __init__(self, pairs: SupportsPairs) -> None:
        self.pairs, self.classes = pairs, tuple(getattr(pairs, "classes", ()))

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, indices: np.ndarray) -> Batch:
        found = [self.pairs[int(index)] for index in indices]
        return np.stack([as_array(picture) for picture, _ in found]), np.stack([as_array(target) for _, target in found])

    def targets(self) -> np.ndarray:
        return np.stack([as_array(self.pairs[index][1]) for index in range(len(self))])


def gives_pairs(data: Any) -> bool:
    """Whether this is what Python knows another library's data set by. Arrays have both methods as well, and a shape."""
    if isinstance(data, (Sequence, Mapping)) or hasattr(data, "shape"):
        return False
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def as_dataset(data: Any) -> Dataset:
    """A data set, of another library too, or (pictures, labels) as one."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return ArrayDataset(*data)
    if gives_pairs(data):
        return PairsDataset(data)
    raise TypeError(
        f"data is a {type(data).__name__}; a DataLoader, a Dataset or (pictures, labels) is expected: "
        "sasuka.data.ImageFolder reads a folder with a folder of pictures for each class, sasuka.data.random_split holds a "
        "part of a data set out"
    )


@_elsewhere.arguments_of(_elsewhere.SPLIT)
def random_split(
    dataset: Union[Dataset, tuple[Any, Any], SupportsPairs], fraction: float, seed: int = 0
) -> tuple[Subset, Subset]:
    """Two parts drawn at random: the rest, and a `fraction` of the pictures, for validation."""
    if not isinstance(fraction, (int, float)):
        raise TypeError(f"fraction is {fraction!r}; the share that is held out is expected, such as 0.2")
    if not 0 < fraction < 1:
        raise InvalidArgumentError(f"fraction is {fraction}; a number between 0 and 1 is expected")
    dataset = as_dataset(dataset)
    order = np.random.default_rng(seed).permutation(len(dataset))
    held_out = max(1, round(fraction * len(dataset)))
    return Subset(dataset, np.sort(order[held_out:])), Subset(dataset, np.sort(order[:held_out]))


def read_picture(path: PathLike, size: int | tuple[int, int] | None = None, channels: int = 3) -> np.ndarray:
    """A picture file as uint8 [channels, height, width].

    Parameters
    ----------
    size : int or (height, width), optional
        Resized so that the picture covers it, and cut out of the middle.
    channels : {1, 3}
    """
    if channels not in (1, 3):
        raise InvalidArgumentError(f"channels is {channels}; 1 or 3 is expected")
    picture = open_picture(path, "L" if channels == 1 else "RGB")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        picture = _covering(picture, height, width)
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels[np.newaxis] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _covering(picture: Any, height: int, width: int) -> Any:
    """Resized so that it just covers height x width, and cut to it around the middle; rounds as torchvision does."""
    if height * picture.width >= width * picture.height:
        enlarged = picture.width * height // picture.height, height
    else:
        enlarged = width, picture.height * width // picture.width
    if enlarged != picture.size:
        picture = picture.resize(enlarged, pillow().BILINEAR)
    left, top = round((picture.width - width) / 2), round((picture.height - height) / 2)
    return picture.crop((left, top, left + width, top + height))


def find_pictures(folder: PathLike) -> list[Path]:
    """The picture files below a folder, sorted."""
    found = Path(folder).rglob("*")
    return sorted(path for path in found if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


class ImageFolder(Dataset):
    """A folder with a folder of pictures for each class; needs Pillow.

    Parameters
    ----------
    root : path
    size : int or (height, width)
        To which pictures are resized and cut.
    channels : {1, 3}
    classes : sequence of str, optional
        Names of the folders in the order of their numbers; by default all, sorted.
    allow_empty : bool
        Whether a class may have no pictures, or no folder.
    preprocessing : Preprocessing, optional
        A network's own way from pictures to its input, instead of `size` and `channels`.
    """

    @_elsewhere.arguments_of(_elsewhere.FOLDER)
    def __init__(
        self,
        root: PathLike,
        size: int | tuple[int, int] = 224,
        channels: int = 3,
        classes: Sequence[str] | None = None,
        *,
        allow_empty: bool = False,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise FileError(f"{folder} is no folder")
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if classes is None else list(classes)
        self.classes, self.size, self.channels = tuple(names), size, channels
        self.preprocessing = preprocessing
        self.paths: list[Path] = []
        numbers: list[int] = []
        for number, name in enumerate(names):
            inside = find_pictures(folder / name)
            if not inside and not allow_empty:
                raise FileError(f"{folder / name} holds no pictures ({', '.join(PICTURE_SUFFIXES)})")
            self.paths += inside
            numbers += [number] * len(inside)
        if not names:
            raise FileError(f"{folder} holds no folders; one of pictures for each class is expected")
        self._targets = np.array(numbers, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, indices: np.ndarray) -> Batch:
        targets = self._targets[indices]
        if self.preprocessing is None:
            return np.stack([read_picture(self.paths[index], self.size, self.channels) for index in indices]), targets
        whole = [read_picture(self.paths[index], channels=3).transpose(1, 2, 0) for index in indices]
        return self.preprocessing(whole), targets

    def targets(self) -> np.ndarray:
        return self._targets


_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: PathLike) -> np.ndarray:
    """The array in an IDX file, such as MNIST's, packed by gzip or not; for what the bytes mean, see the file's source."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as reason:
            raise FormatError(f"{name}: the gzip stream is damaged: {reason}") from reason
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise FormatError(f"{name} begins with {data[:4]!r}; two zeros, a type and the number of axes are expected")
    rank, kind = data[3], np.dtype(_IDX_TYPES[data[2]])
    begin = 4 + 4 * rank
    if len(data) < begin:
        raise FormatError(f"{name} has {len(data)} bytes; the sizes of {rank} axes are expected")
    shape = tuple(int(size) for size in np.frombuffer(data, dtype=">u4", count=rank, offset=4))
    expected = begin + kind.itemsize * int(np.prod(shape, dtype=object))
    if len(data) != expected:
        raise FormatError(f"{name} has {len(data)} bytes; {expected} are expected for shape {list(shape)}")
    return np.frombuffer(data, dtype=kind, offset=begin).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def idx_dataset(folder: PathLike, train: bool = True, classes: Sequence[str] = ()) -> ArrayDataset:
    """MNIST or what is laid out as it (Fashion-MNIST, KMNIST): train-images-idx3-ubyte and so on, packed by gzip or not."""
    part = "train" if train else "t10k"
    arrays = []
    for kind in ("images-idx3", "labels-idx1"):
        names = [f"{part}-{kind}-ubyte{suffix}" for suffix in ("", ".gz")]
        found = [Path(folder) / name for name in names if (Path(folder) / name).is_file()]
        if not found:
            raise FileError(f"{os.fspath(folder)} holds neither {names[0]} nor {names[1]}")
        arrays.append(read_idx(found[0]))
    return ArrayDataset(arrays[0], arrays[1], classes)


class DataLoader:
    """Batches of a dataset, as often as it is iterated: pictures as float32, and targets.

    Each iteration is an epoch: it shuffles anew, and its random numbers follow from seed, epoch and the batch's number alone.

    Parameters
    ----------
    dataset : Dataset or (pictures, labels)
    batch_size : int
    shuffle : bool
    transform : Transform or sequence of Transform, optional
        Augmentation, such as ``[RandomCrop(4), RandomHorizontalFlip(), Normalize(mean, std)]``.
    seed : int
    workers : int
        Threads that load and transform batches ahead; 0: the caller's own.
    drop_last : bool
        Leave out a last batch that is not full.
    """

    @_elsewhere.arguments_of(_elsewhere.LOAD)
    def __init__(
        self,
        dataset: Union[Dataset, tuple[Any, Any], SupportsPairs],
        batch_size: int = 32,
        shuffle: bool = False,
        transform: Transform | Sequence[Transform] | None = None,
        *,
        seed: int = 0,
        workers: int = 0,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1 or workers < 0:
            raise InvalidArgumentError(
                f"batch_size is {batch_size} and workers is {workers}; at least 1 and at least 0 are expected"
            )
        self.dataset, self.batch_size, self.shuffle, self.drop_last = as_dataset(dataset), batch_size, shuffle, drop_last
        self.seed, self.workers = seed, workers
        self.transform = Compose(transform) if isinstance(transform, Sequence) else transform
        #: Of the next iteration.
        self.epoch = 0

    def __repr__(self) -> str:
        order = "shuffled" if self.shuffle else "in order"
        return f"DataLoader({self.dataset!r}, {len(self)} batches of {self.batch_size}, {order})"

    def __len__(self) -> int:
        """Batches of an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def in_order(self) -> DataLoader:
        """All pictures in the data set's order."""
        other = copy(self)
        other.shuffle = other.drop_last = False
        return other

    def followed_by(self, transform: Transform) -> DataLoader:
        """The same batches, with another transform behind this loader's own."""
        other = copy(self)
        other.transform = transform if self.transform is None else Compose([self.transform, transform])
        return other

    def random(self, *place: int) -> np.random.Generator:
        """The generator for a place in the data: an epoch's order, or one of its batches."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, *place))))

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch's pictures."""
        count = len(self.dataset)
        return self.random(epoch).permutation(count) if self.shuffle else np.arange(count)

    def _load(self, epoch: int, number: int, indices: np.ndarray) -> Batch:
        return self._finished(*self.dataset.batch(indices), epoch, number)

    def _finished(self, pictures: np.ndarray, targets: np.ndarray, epoch: int, number: int) -> Batch:
        if self.transform is not None:
            pictures, targets = self.transform(pictures, targets, self.random(epoch, number))
        return np.ascontiguousarray(scaled(pictures)), targets

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = self.order(epoch)
        parts = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)][: len(self)]
        if self.workers == 0:
            return (self._load(epoch, number, indices) for number, indices in enumerate(parts))
        return self._ahead(epoch, parts)

    def _ahead(self, epoch: int, parts: list[np.ndarray]) -> Iterator[Batch]:
        """Keeps two batches a worker on their way, and hands them out in order."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sasuka-data")
        waiting: deque[Future[Batch]] = deque()
        try:
            for number, indices in enumerate(parts):
                waiting.append(pool.submit(self._load, epoch, number, indices))
                if len(waiting) > 2 * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Also where the caller breaks off; what is being loaded ends by itself.
            pool.shutdown(wait=False, cancel_futures=True)


class SupportsBatches(Protocol):
    """Batches of pictures and targets, as often as it is iterated, of a data set: PyTorch's loaders."""

    @property
    def dataset(self) -> Any: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class BatchesLoader(DataLoader):
    """What another library's loader gives: its batches, in its order."""

    def __init__(self, batches: SupportsBatches) -> None:
        super().__init__(PairsDataset(batches.dataset), getattr(batches, "batch_size", None) or 32)
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __repr__(self) -> str:
        return f"BatchesLoader({type(self.batches).__name__}, {len(self.dataset)} pictures, {len(self)} batches)"

    def in_order(self) -> DataLoader:
        return DataLoader(self.dataset, self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        for number, (pictures, targets) in enumerate(self.batches):
            yield self._finished(as_array(pictures), as_array(targets), epoch, number)


def as_loader(data: Any, batch_size: int, shuffle: bool, seed: int = 0) -> DataLoader:
    """A loader, of another library too, or one for a data set."""
    if isinstance(data, DataLoader):
        return data
    if hasattr(data, "__iter__") and hasattr(data, "__len__") and hasattr(data, "dataset"):
        return BatchesLoader(data)
    return DataLoader(as_dataset(data), batch_size, shuffle, seed=seed)
