"""A classifier in scikit-learn's manner, which needs no scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Optional, Union

import numpy as np

from .data import ArrayDataset, DataLoader, Dataset, random_split
from .errors import InvalidArgumentError, WrongStateError
from .learner import History, Learner, softmax
from .model import Model, create_model
from .nn import Module
from .tensors import as_array
from .transforms import Compose, RandomCrop, RandomHorizontalFlip, Transform, scaled

#: A torchvision name, layers, or a function of (picture_shape, num_classes, seed, threads) that makes a model.
Architecture = Union[str, Module, Callable[..., Model]]


class PictureClassifier:
    """Learns the classes of pictures; behaves as scikit-learn's classifiers do, in pipelines, searches and `clone` too.

    Parameters
    ----------
    architecture : str, nn.Module or callable
        A network's name; layers whose last has as many results as there are classes; or a function that is called with
        `picture_shape`, `num_classes`, `seed` and `threads` and returns a model.
    epochs, batch_size, lr, optimizer, weight_decay
        Of the training, in one cycle of the learning rate.
    picture_shape : (channels, height, width), optional
        How rows of X are to be read where X is [count, features]; else X is [count, channels, height, width] or, for one
        channel, [count, height, width].
    standardize : bool
        Whether pictures are shifted and scaled to mean 0 and deviation 1 for each channel, by what `fit` saw. Bytes are
        scaled to 0 to 1 first.
    augment : bool
        Whether pictures are mirrored and shifted by an eighth at random in training.
    validation_fraction : float
        Share of the pictures that is held out, for `history_`; 0: none.
    seed, threads : int
    progress : bool, optional
        Show bars; by default in terminals and notebooks.

    Attributes
    ----------
    classes_ : numpy.ndarray
        What `fit` saw in y, sorted.
    model_ : Model
    history_ : History
        Numbers of each epoch.

    Examples
    --------
    >>> classifier = PictureClassifier("cifar_resnet20", epochs=3).fit(pictures, labels)
    >>> classifier.score(more_pictures, their_labels)
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        architecture: Architecture = "cifar_resnet20",
        epochs: int = 5,
        batch_size: int = 64,
        lr: float = 0.01,
        optimizer: str = "adamw",
        weight_decay: float = 0.01,
        picture_shape: Optional[tuple[int, int, int]] = None,
        standardize: bool = True,
        augment: bool = False,
        validation_fraction: float = 0.0,
        seed: int = 0,
        threads: int = 0,
        progress: Optional[bool] = None,
    ) -> None:
        self.architecture = architecture
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.picture_shape = picture_shape
        self.standardize = standardize
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.threads = threads
        self.progress = progress

    # ---- Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor, by name."""
        return {name: getattr(self, name) for name in list(inspect.signature(type(self).__init__).parameters)[1:]}

    def set_params(self, **params: Any) -> PictureClassifier:
        """Changes arguments of the constructor; returns itself."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{name!r} is no parameter of {type(self).__name__}; {', '.join(known)} are")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks, which is then there."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags  # type: ignore[import-untyped,unused-ignore]

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [f"{key}={value!r}" for key, value in self.get_params().items() if defaults[key].default is not value]
        return f"{type(self).__name__}({', '.join(changed)})"

    # ---- Learning

    def fit(self, X: Any, y: Any) -> PictureClassifier:
        """Trains a new network on pictures and their classes of any type; returns itself."""
        pictures, labels = self._pictures(X), as_array(y)
        if labels.ndim != 1 or len(labels) != len(pictures) or len(labels) == 0:
            raise InvalidArgumentError(
                f"X has {len(pictures)} pictures and y has shape {list(labels.shape)}; as many labels are expected"
            )
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        pictures = scaled(pictures)
        axes = (0, *range(2, pictures.ndim))
        self.mean_ = pictures.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
        deviation = pictures.std(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
        self.scale_ = np.where(deviation > 0, deviation, np.float32(1))
        self.picture_shape_ = pictures.shape[1:]
        train: Dataset = ArrayDataset(self._standardized(pictures), numbers)
        valid: Dataset | None = None
        if self.validation_fraction > 0:
            train, valid = random_split(train, self.validation_fraction, self.seed)
        self.model_ = self._new_model()
        loader = DataLoader(train, self.batch_size, True, self._augmentation(), seed=self.seed)
        learner = Learner(
            self.model_,
            loader,
            valid,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            seed=self.seed,
            progress=self.progress,
            weight_decay=self.weight_decay,
        )
        self.history_: History = learner.fit_one_cycle(self.epochs, self.lr)
        return self

    def _new_model(self) -> Model:
        count, shape = len(self.classes_), self.picture_shape_
        if isinstance(self.architecture, str):
            return create_model(
                self.architecture, num_classes=count, in_channels=shape[0], seed=self.seed, threads=self.threads
            )
        if isinstance(self.architecture, Module):
            model = self.architecture.model(shape, seed=self.seed, threads=self.threads)
        else:
            model = self.architecture(picture_shape=shape, num_classes=count, seed=self.seed, threads=self.threads)
        results = model.output_shape((1, *shape))
        if results != (1, count):
            raise InvalidArgumentError(f"the network makes {list(results)} of a picture; [1, {count}] is expected")
        return model

    def _augmentation(self) -> Transform | None:
        if not self.augment:
            return None
        return Compose([RandomHorizontalFlip(), RandomCrop(max(1, min(self.picture_shape_[1:]) // 8))])

    def _pictures(self, X: Any) -> np.ndarray:
        """X as [count, channels, height, width]."""
        pictures = as_array(X)
        if pictures.ndim == 2:
            if self.picture_shape is None:
                raise InvalidArgumentError(
                    f"X has shape {list(pictures.shape)}; give picture_shape=(channels, height, width), or pictures of that shape"
                )
            return pictures.reshape(len(pictures), *self.picture_shape)
        if pictures.ndim == 3:
            return pictures[:, np.newaxis]
        if pictures.ndim != 4:
            raise InvalidArgumentError(f"X has shape {list(pictures.shape)}; [count, channels, height, width] is expected")
        return pictures

    def _standardized(self, pictures: np.ndarray) -> np.ndarray:
        return np.asarray((pictures - self.mean_) / self.scale_) if self.standardize else pictures

    # ---- Predicting

    def decision_function(self, X: Any) -> np.ndarray:
        """The logits [count, classes]."""
        if not hasattr(self, "model_"):
            raise WrongStateError(f"this {type(self).__name__} has learnt nothing yet; call fit first")
        pictures = self._pictures(X)
        if pictures.shape[1:] != self.picture_shape_:
            raise InvalidArgumentError(
                f"X has pictures of shape {list(pictures.shape[1:])}; fit saw {list(self.picture_shape_)}"
            )
        starts = range(0, len(pictures), self.batch_size)
        parts = [self._standardized(scaled(pictures[start : start + self.batch_size])) for start in starts]
        empty = np.empty((0, len(self.classes_)), dtype=np.float32)
        return np.concatenate([empty, *[self.model_(part) for part in parts]])

    def predict_proba(self, X: Any) -> np.ndarray:
        """The classes' probabilities [count, classes], in the order of `classes_`."""
        return softmax(self.decision_function(X))

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each picture."""
        best = self.decision_function(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(self, X: Any, y: Any) -> float:
        """The share of pictures whose class is predicted."""
        return float(np.mean(self.predict(X) == as_array(y)))

    # ---- Copies

    def __getstate__(self) -> dict[str, Any]:
        """As pickles and joblib take it: the weights as the bytes of a safetensors file."""
        state = dict(self.__dict__)
        if "model_" in state:
            state["model_"] = self.model_.save_weights()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.get("model_")
        self.__dict__.update(state)
        if weights is not None:
            self.model_ = self._new_model()
            self.model_.load_weights(weights)
