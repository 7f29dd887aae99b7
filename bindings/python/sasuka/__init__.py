"""Sasuka: convolutional networks in your own process.

>>> import sasuka
>>> model = sasuka.create_model("resnet18", num_classes=10)
>>> logits = model(pictures)  # float32 [batch, channels, height, width]
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import _elsewhere, callbacks, data, nn, plots, samples, transforms
from ._library import include_path, library_path
from ._library import lib as _lib
from .bundle import Bundle, Prediction
from .errors import (
    BufferTooSmallError,
    BusyError,
    CancelledError,
    FileError,
    FormatError,
    InvalidArgumentError,
    MismatchError,
    NotFoundError,
    OutOfMemoryError,
    SasukaError,
    UnsupportedError,
    WrongStateError,
)
from .estimator import PictureClassifier
from .explain import grad_cam
from .graph import Graph, Value
from .learner import History, Learner
from .lr_finder import LearningRateFinder
from .model import IncompatibleKeys, Model, Parameter, Session, architectures, create_model
from .pictures import Preprocessing, preprocessing
from .profile import Profile, ProfileRow
from .shapes import ReceptiveField, receptive_field, resolve_padding, transposed_output_size, window_output_size
from .surgery import LayerInfo
from .trainer import Evaluation, Trainer
from .zoo import list_models

if not _TYPE_CHECKING:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.PACKAGE)

__version__ = _lib.sasuka_version().decode()


def instruction_set() -> str:
    """"avx512", "avx2" or "baseline": what this process computes with."""
    return str(_lib.sasuka_instruction_set().decode())


__all__ = [
    "BufferTooSmallError",
    "Bundle",
    "BusyError",
    "CancelledError",
    "Evaluation",
    "FileError",
    "FormatError",
    "Graph",
    "History",
    "IncompatibleKeys",
    "InvalidArgumentError",
    "LayerInfo",
    "Learner",
    "LearningRateFinder",
    "MismatchError",
    "Model",
    "NotFoundError",
    "OutOfMemoryError",
    "Parameter",
    "Prediction",
    "Preprocessing",
    "Profile",
    "ProfileRow",
    "PictureClassifier",
    "ReceptiveField",
    "SasukaError",
    "Session",
    "Trainer",
    "UnsupportedError",
    "Value",
    "WrongStateError",
    "architectures",
    "callbacks",
    "create_model",
    "data",
    "grad_cam",
    "include_path",
    "instruction_set",
    "library_path",
    "list_models",
    "nn",
    "preprocessing",
    "plots",
    "receptive_field",
    "resolve_padding",
    "samples",
    "transforms",
    "transposed_output_size",
    "window_output_size",
]
