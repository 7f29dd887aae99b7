"""A network with what it takes to use it: its architecture, its classes' names, and how pictures become its input."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ._library import PathLike
from .errors import FileError, FormatError, InvalidArgumentError, MismatchError
from .learner import softmax
from .model import Model, create_model
from .pictures import Preprocessing, preprocessing

#: The description and the weights in a bundle's folder.
DESCRIPTION, WEIGHTS = "sasuka.json", "weights.safetensors"


class Prediction(NamedTuple):
    """One of the classes that a picture may be of."""

    name: str
    number: int
    probability: float


@dataclass
class Bundle:
    """A classifier of pictures.

    Attributes
    ----------
    model : Model
    architecture : str
        torchvision's name of it.
    classes : sequence of str
        Their names in the order of the logits.
    preprocessing : Preprocessing
        From pictures to the model's input.
    options : dict
        Others of `create_model`, such as in_channels.

    Examples
    --------
    >>> bundle = sasuka.Bundle.load("flowers")
    >>> bundle.predict(["rose.jpg"], top_k=3)[0]
    [Prediction(name='rose', number=2, probability=0.97), ...]
    """

    model: Model
    architecture: str
    classes: Sequence[str]
    preprocessing: Preprocessing
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def published(
        cls, architecture: str, weights: PathLike, classes: Sequence[str] = (), *, threads: int = 0, **options: Any
    ) -> Bundle:
        """An architecture with the weights of a file, and its authors' preprocessing; classes without names are numbers."""
        model = create_model(architecture, threads=threads, **options)
        model.load_weights(weights)
        steps = preprocessing(architecture)
        count = model.output_shape((1, steps.channels, steps.crop_size, steps.crop_size))[1]
        if classes and len(classes) != count:
            raise InvalidArgumentError(f"{len(classes)} names of classes; {architecture} has {count} classes")
        return cls(model, architecture, list(classes) or [str(number) for number in range(count)], steps, options)

    @classmethod
    def load(cls, folder: PathLike, *, threads: int = 0) -> Bundle:
        """What `save` wrote."""
        path = Path(folder) / DESCRIPTION
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as reason:
            raise FileError(f"{path} cannot be read: {reason}") from reason
        try:
            told = json.loads(text)
            steps = {**told["preprocessing"], "mean": tuple(told["preprocessing"]["mean"])}
            steps["std"] = tuple(steps["std"])
            classes, options = [str(name) for name in told["classes"]], dict(told["options"])
            prepared, architecture = Preprocessing(**steps), str(told["architecture"])
        except (KeyError, TypeError, ValueError) as reason:
            raise FormatError(f"{path} is no description of a bundle: {reason!r}") from reason
        model = create_model(architecture, num_classes=len(classes), threads=threads, **options)
        model.load_weights(Path(folder) / WEIGHTS)
        return cls(model, architecture, classes, prepared, options)

    def save(self, folder: PathLike) -> None:
        """Writes weights.safetensors and sasuka.json into a folder, which is made where there is none.

        Raises
        ------
        MismatchError
            The model is not what `load` would make of architecture, classes and options.
        """
        with create_model(self.architecture, num_classes=len(self.classes), **self.options) as made:
            if made.parameters() != self.model.parameters():
                raise MismatchError(
                    f"the model is not {self.architecture} with {len(self.classes)} classes and the options {self.options}, which "
                    "is what load would make; other networks are kept by model.save_weights and the program that builds them"
                )
        os.makedirs(folder, exist_ok=True)
        self.model.save_weights(Path(folder) / WEIGHTS)
        told = {
            "architecture": self.architecture,
            "options": self.options,
            "classes": list(self.classes),
            "preprocessing": asdict(self.preprocessing),
        }
        with _written_whole(Path(folder) / DESCRIPTION) as file:
            file.write(json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n")

    def predict(self, pictures: Sequence[Any], top_k: int = 1, batch_size: int = 32) -> list[list[Prediction]]:
        """The likeliest classes of each picture, the likeliest first.

        Parameters
        ----------
        pictures : sequence of path, Pillow image or uint8 [height, width, 3]
        """
        if top_k < 1:
            raise InvalidArgumentError(f"top_k is {top_k}; at least 1 is expected")
        results = []
        for start in range(0, len(pictures), batch_size):
            batch = list(pictures[start : start + batch_size])
            results += [self._named(row, top_k) for row in softmax(self.model(self.preprocessing(batch)))]
        return results

    def _named(self, probabilities: np.ndarray, count: int) -> list[Prediction]:
        best = np.argsort(-probabilities, kind="stable")[:count]
        return [Prediction(self.classes[number], number, float(probabilities[number])) for number in map(int, best)]


@contextmanager
def _written_whole(path: PathLike) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all: a temporary one beside it, synced and renamed once all is written."""
    target = os.path.abspath(os.fspath(path))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".sasuka-")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
        temporary = ""
    except OSError as reason:
        raise FileError(f"{os.fspath(path)} cannot be written: {reason}") from reason
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
