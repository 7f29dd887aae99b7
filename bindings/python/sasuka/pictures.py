"""From pictures to inputs, the way a network's authors did it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._library import PathLike, Picture, defaults, lib
from ._library import Preprocessing as Struct
from ._optional import pillow
from .errors import FileError, FormatError, InvalidArgumentError
from .tensors import borrow_output

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """Resizes, cuts, scales to 0 to 1 and normalises pictures; `preprocessing` finds an architecture's.

    >>> batch = sasuka.preprocessing("resnet18")([picture, another])

    Attributes
    ----------
    channels : int
        3 (red, green, blue) or 1 (grey).
    resize_size : int
        What the shorter side becomes, as by Pillow's ``Image.resize``; 0: the picture keeps its size.
    crop_size : int
        Side of the square cut from the middle, or padded with black; 0: all of the picture.
    interpolation : str
        "bilinear" or "bicubic".
    mean, std : tuple of float
        Of each channel between 0 and 1.
    """

    channels: int = 3
    resize_size: int = 256
    crop_size: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __call__(self, pictures: Any, *, resize_size: int | None = None, crop_size: int | None = None) -> np.ndarray:
        """The batch that the network takes.

        Parameters
        ----------
        pictures : path, array_like, Pillow image, or list of them
            uint8 [height, width, 3] or [height, width]; or a batch of such as one array, [n, height, width, 3].
        resize_size, crop_size : int, optional
            Instead of the authors'.

        Returns
        -------
        numpy.ndarray
            float32 [n, channels, crop_size, crop_size].
        """
        if resize_size is not None or crop_size is not None:
            resize_size = self.resize_size if resize_size is None else resize_size
            crop_size = self.crop_size if crop_size is None else crop_size
            return replace(self, resize_size=resize_size, crop_size=crop_size)(pictures)
        arrays = [_levels(picture) for picture in _listed(pictures)]
        if not arrays:
            raise InvalidArgumentError("no pictures; at least 1 is expected")
        described = (Picture * len(arrays))(*map(_described, arrays))
        side = self.crop_size
        height, width = (side, side) if side > 0 else self._resized(*arrays[0].shape[:2])
        if min(height, width, self.channels) < 1:
            raise InvalidArgumentError(f"{self}: sizes and channels of at least 0 are expected")
        output = np.empty((len(arrays), self.channels, height, width), dtype=np.float32)
        lib.sasuka_preprocess(ctypes.byref(self._struct()), described, len(arrays), borrow_output(output).pointer)
        return output

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.resize_size <= 0:
            return height, width
        other = int(self.resize_size * max(height, width) / min(height, width))
        return (self.resize_size, other) if height <= width else (other, self.resize_size)

    def _struct(self) -> Any:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation {self.interpolation!r}; one of {INTERPOLATIONS} is expected")
        struct = defaults(Struct, "sasuka_preprocessing_init")
        struct.channels, struct.resize_size, struct.crop_size = self.channels, self.resize_size, self.crop_size
        struct.interpolation = INTERPOLATIONS.index(self.interpolation)
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels:
                raise ValueError(f"{name} {values}; {self.channels} numbers are expected")
            getattr(struct, name)[: self.channels] = values
        return struct

    @classmethod
    def _found(cls, function: Any, whose: Any, weights: str | None) -> Preprocessing:
        struct = defaults(Struct, "sasuka_preprocessing_init")
        function(whose, None if weights is None else weights.encode(), ctypes.byref(struct))
        channels = struct.channels
        return cls(
            channels,
            struct.resize_size,
            struct.crop_size,
            INTERPOLATIONS[struct.interpolation],
            tuple(struct.mean[:channels]),
            tuple(struct.std[:channels]),
        )


def preprocessing(architecture: str, weights: str | None = None) -> Preprocessing:
    """What belongs to an architecture's published weights.

    Parameters
    ----------
    weights : str, optional
        torchvision's name of them, such as "IMAGENET1K_V1"; by default its DEFAULT, which for some networks are a second
        training's, "IMAGENET1K_V2".
    """
    return Preprocessing._found(lib.sasuka_architecture_preprocessing, architecture.encode(), weights)


def _listed(pictures: Any) -> Sequence[Any]:
    """Pictures one by one."""
    if isinstance(pictures, np.ndarray):
        return list(pictures) if pictures.ndim == 4 else [pictures]
    return pictures if isinstance(pictures, Sequence) and not isinstance(pictures, str) else [pictures]


def open_picture(path: PathLike, mode: str = "RGB") -> Any:
    """A picture file by Pillow, all of it read.

    Raises
    ------
    FormatError
        Pillow does not know the format, or the file is damaged or cut off.
    FileError
        There is no such file, or it may not be read.
    """
    images = pillow()
    try:
        with images.open(path) as file:
            return file.convert(mode)
    except images.UnidentifiedImageError as reason:
        raise FormatError(f"{os.fspath(path)}: no picture in a format that Pillow knows") from reason
    except (OSError, SyntaxError, ValueError, images.DecompressionBombError) as reason:
        # What the system says has a number; what decoders say of the file's contents has none.
        if isinstance(reason, OSError) and reason.errno is not None:
            raise FileError(f"{os.fspath(path)} cannot be read: {reason}") from reason
        raise FormatError(f"{os.fspath(path)}: {reason}") from reason


def _levels(picture: Any) -> np.ndarray:
    """A picture as an array whose rows are interleaved levels; Pillow's others than grey become RGB."""
    if isinstance(picture, (str, os.PathLike)):
        picture = open_picture(picture)
    if hasattr(picture, "convert") and hasattr(picture, "mode"):
        picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] not in (1, 3):
        raise InvalidArgumentError(
            f"a picture is {array.dtype} of shape {array.shape}; uint8 [height, width, 3] or [height, width] is expected"
        )
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    height, width, channels = array.shape
    interleaved = array.strides[1:] == (channels, 1) and array.strides[0] >= width * channels
    return array if interleaved else np.ascontiguousarray(array)


def _described(array: np.ndarray) -> Any:
    height, width, channels = array.shape
    return Picture(array.ctypes.data, height, width, channels, array.strides[0])
