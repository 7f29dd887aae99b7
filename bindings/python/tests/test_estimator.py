"""scikit-learn's manners, with scikit-learn itself as the judge."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_learner import stripes

import sasuka
from sasuka import PictureClassifier, nn


def layers(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(classes)
    )


def classifier(**params: object) -> PictureClassifier:
    return PictureClassifier(**{"architecture": layers(), "epochs": 6, "batch_size": 16, "lr": 0.03, **params})  # type: ignore[arg-type]


NAMES = np.array(["row", "column", "neither"])


def test_it_learns_classes_of_any_type() -> None:
    pictures, numbers = stripes()
    ours = classifier(validation_fraction=0.1).fit(pictures, NAMES[numbers])
    assert ours.classes_.tolist() == ["column", "neither", "row"]
    more, their_numbers = stripes(60, seed=1)
    assert ours.score(more, NAMES[their_numbers]) > 0.85
    probabilities = ours.predict_proba(more)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(ours.predict(more), ours.classes_[probabilities.argmax(axis=1)])
    assert len(ours.history_) == 6 and "valid_loss" in ours.history_[0]
    assert ours.predict(more[:0]).shape == (0,)


def test_bytes_maps_and_rows_are_the_same_pictures() -> None:
    pictures, numbers = stripes()
    numbers_8 = (np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    expected = classifier(epochs=1).fit(numbers_8, numbers).decision_function(numbers_8)
    flat = classifier(epochs=1, picture_shape=(1, 8, 8)).fit(numbers_8.reshape(-1, 64), numbers)
    np.testing.assert_array_equal(flat.decision_function(numbers_8.reshape(-1, 64)), expected)
    np.testing.assert_array_equal(classifier(epochs=1).fit(numbers_8[:, 0], numbers).decision_function(numbers_8[:, 0]), expected)
    floats = numbers_8 * np.float32(1 / 255)
    np.testing.assert_array_equal(classifier(epochs=1).fit(floats, numbers).decision_function(floats), expected)


def test_architectures_by_name_and_by_function() -> None:
    pictures, numbers = stripes(32)
    wide = np.repeat(np.repeat(pictures, 4, axis=2), 4, axis=3)
    named = PictureClassifier("lenet5", epochs=1).fit(wide, numbers)
    assert named.predict_proba(wide).shape == (32, 3)

    def build(picture_shape: tuple[int, ...], num_classes: int, seed: int, threads: int) -> sasuka.Model:
        return layers(num_classes).model(picture_shape, seed=seed, threads=threads)

    assert PictureClassifier(build, epochs=1).fit(pictures, numbers).predict_proba(pictures).shape == (32, 3)
    with pytest.raises(sasuka.InvalidArgumentError, match=r"makes \[1, 4\] of a picture; \[1, 3\] is expected"):
        PictureClassifier(layers(4)).fit(pictures, numbers)


def test_a_seed_repeats_and_pickles_keep(tmp_path: Path) -> None:
    pictures, numbers = stripes()
    ours = classifier(augment=True).fit(pictures, numbers)
    expected = ours.decision_function(pictures)
    np.testing.assert_array_equal(classifier(augment=True).fit(pictures, numbers).decision_function(pictures), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).decision_function(pictures), expected)
    assert (classifier(augment=True, seed=1).fit(pictures, numbers).decision_function(pictures) != expected).any()


def test_parameters_go_in_and_out() -> None:
    ours = classifier()
    assert ours.get_params()["epochs"] == 6 and ours.set_params(epochs=2) is ours and ours.epochs == 2
    assert repr(PictureClassifier(epochs=2)) == "PictureClassifier(epochs=2)"
    with pytest.raises(ValueError, match="'epoch' is no parameter of PictureClassifier; architecture"):
        ours.set_params(epoch=3)


def test_scikit_learn_clones_searches_and_validates() -> None:
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pictures, numbers = stripes()
    ours = classifier(picture_shape=(1, 8, 8))
    copy = base.clone(ours.fit(pictures, numbers))
    assert repr(copy) == repr(ours) and not hasattr(copy, "model_")
    assert base.clone(classifier(architecture="lenet5")).get_params() == classifier(architecture="lenet5").get_params()
    assert base.is_classifier(ours)
    flat = pictures.reshape(-1, 64)
    search = selection.GridSearchCV(ours, {"epochs": [1, 5]}, cv=2).fit(flat, NAMES[numbers])
    assert search.best_params_ == {"epochs": 5} and search.predict(flat[:3]).dtype == NAMES.dtype
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), ours)
    assert selection.cross_val_score(steps, flat, numbers, cv=2).mean() > 0.6


def test_it_works_without_scikit_learn() -> None:
    program = (
        "import sys; sys.modules['sklearn'] = None; import numpy as np; from sasuka import PictureClassifier\n"
        "x = np.random.default_rng(0).random((8, 1, 32, 32), dtype=np.float32)\n"
        "print(PictureClassifier('lenet5', epochs=1).fit(x, np.arange(8) % 2).predict(x).shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "(8,)\n" and done.stderr == ""


def test_what_does_not_fit_is_said() -> None:
    pictures, numbers = stripes(16)
    with pytest.raises(sasuka.WrongStateError, match="learnt nothing yet"):
        classifier().predict(pictures)
    with pytest.raises(sasuka.InvalidArgumentError, match=r"give picture_shape"):
        classifier().fit(pictures.reshape(16, 64), numbers)
    with pytest.raises(sasuka.InvalidArgumentError, match="16 pictures and y has shape"):
        classifier().fit(pictures, numbers[:5])
    with pytest.raises(sasuka.InvalidArgumentError, match=r"shape \[1, 8, 4\]; fit saw \[1, 8, 8\]"):
        classifier(epochs=1).fit(pictures, numbers).predict(pictures[..., :4])
