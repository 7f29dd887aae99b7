"""Cross-entropy against probabilities of classes, as mixup and distillation make them, and what a step answered.

PyTorch's numbers are in Tests/Golden, which the engine's tests compare with; here the formula in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sasuka
from sasuka import nn
from sasuka.data import ArrayDataset, DataLoader
from sasuka.transforms import Mixup, RandomHorizontalFlip


def probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    """Some are 0, and the sums are not 1."""
    return np.maximum(np.random.default_rng(seed).uniform(-0.2, 0.6, shape), 0)


def logarithms(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def linear(shape: tuple[int, ...] = (4,), classes: int = 5) -> sasuka.Model:
    graph = sasuka.Graph(shape)
    last = graph.linear(graph.input, "fc", classes) if len(shape) == 1 else graph.conv2d(graph.input, "fc", classes, 1)
    return graph.model(last, seed=3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(4,), (4, 3, 5)])
def test_loss_and_gradient_are_the_formula(shape: tuple[int, ...], smoothing: float, weighted: bool) -> None:
    model = linear(shape)
    x = np.random.default_rng(1).standard_normal((6, *shape)).astype(np.float32)
    target = probabilities(6, 5, *shape[1:])
    weights = np.array([0.5, 2, 1, 0, 3]) if weighted else np.ones(5)
    settings: dict[str, Any] = {"class_weights": weights} if weighted else {}
    trainer = sasuka.Trainer(model, label_smoothing=smoothing, **settings)
    trainer.zero_gradients()
    loss = trainer.forward_backward(x, target)
    logits = model(x)
    kept = ((1 - smoothing) * target + smoothing / 5) * weights.reshape(1, 5, *[1] * (len(shape) - 1))
    logs, places = logarithms(logits), target.size / 5
    assert loss == pytest.approx(-(kept * logs).sum() / places, rel=1e-6)
    slope = (np.exp(logs) * kept.sum(axis=1, keepdims=True) - kept) / places
    expected = np.einsum("nkp,ncp->kc", slope.reshape(6, 5, -1), x.reshape(6, 4, -1).astype(np.float64))
    found = trainer.gradients()["fc.weight"].reshape(5, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_rows_with_a_one_are_classes(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    steps = []
    for target in (labels, np.eye(5, dtype=np.float32)[labels], np.eye(5)[labels], np.asfortranarray(np.eye(5)[labels])):
        trainer = sasuka.Trainer(model, label_smoothing=0.1)
        steps.append((trainer.forward_backward(pictures, target), trainer.gradients()["fc.weight"].copy()))
        found = trainer.evaluate(pictures, target)
        np.testing.assert_array_equal(found[1:], trainer.evaluate(pictures, labels)[1:])
        assert found.loss == pytest.approx(trainer.evaluate(pictures, labels).loss, rel=1e-6)
    for loss, gradient in steps[1:]:
        assert loss == pytest.approx(steps[0][0], rel=1e-5)
        np.testing.assert_allclose(gradient, steps[0][1], atol=1e-6)


def test_evaluation_ranks_against_the_likeliest_class(model: sasuka.Model, pictures: np.ndarray) -> None:
    target = probabilities(6, 5, seed=4)
    found = sasuka.Trainer(model, label_smoothing=0.5, class_weights=[9, 1, 1, 1, 1]).evaluate(pictures, target)
    assert found.accuracy == np.mean(model(pictures).argmax(axis=1) == target.argmax(axis=1)) and found.samples == 6
    expected = -(target * logarithms(model(pictures))).sum() / 6
    assert sasuka.Trainer(model).evaluate(pictures, target).loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.full((6, 5), -0.5), r"probability -0\.5 in the target; a number from 0"),
        (np.full((6, 5), np.nan), "probability nan in the target"),
        (np.full((6, 5), np.inf), "probability inf in the target"),
        (np.full((6, 5), 1e300), "probability inf in the target"),
        (np.zeros((6, 4)), r"target has shape \[6, 4\]; \[6\], a class for each place, or \[6, 5\], probabilities"),
        (np.zeros((5, 5)), r"target has shape \[5, 5\]"),
        (np.zeros((6, 5, 1)), r"target has shape \[6, 5, 1\]"),
        (np.zeros((6, 5), dtype=int), "target has type int64; float32 or float64 is expected"),
        (np.zeros((6, 5), dtype=bool), "target has type int64; float32 or float64 is expected"),
        (np.zeros(6), "target has type float64; integers are expected"),
        (np.zeros((6, 0)), r"\[6, 0\]"),
    ],
)
def test_other_targets_are_refused(model: sasuka.Model, pictures: np.ndarray, wrong: np.ndarray, message: str) -> None:
    trainer, before = sasuka.Trainer(model), model.state_dict()
    for call in (trainer.step, trainer.evaluate, trainer.forward_backward):
        with pytest.raises(sasuka.InvalidArgumentError, match=message):
            call(pictures, wrong)
    assert trainer.steps == 0
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_plan_for_classes_takes_no_probabilities_and_the_other_way_round(
    model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray
) -> None:
    trainer, rows = sasuka.Trainer(model), np.eye(5)[labels]
    for target in (labels, rows, labels, rows):
        trainer.step(pictures, target)
    with pytest.raises(sasuka.InvalidArgumentError, match="float64; integers are expected"):
        trainer.step(pictures, labels.astype(float))
    with pytest.raises(sasuka.InvalidArgumentError, match="int64; float32 or float64"):
        trainer.step(pictures, rows.astype(int))


def test_auxiliary_heads_learn_from_probabilities() -> None:
    model = sasuka.create_model("googlenet", num_classes=3, aux_logits=True, seed=2)
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    trainer = sasuka.Trainer(model, seed=1)
    losses = [sasuka.Trainer(model, seed=1).forward_backward(x, target) for target in (np.array([0, 2]), np.eye(3)[[0, 2]])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    trainer.step(x, np.eye(3)[[0, 2]])
    assert trainer.output().shape == (2, 3)


def test_the_answers_of_a_step_can_be_read(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model)
    with pytest.raises(sasuka.WrongStateError, match="no pass of the trainer"):
        trainer.output()
    trainer.freeze("bn*", evaluation=True)
    expected = model(pictures)
    trainer.watch(["conv1"])
    trainer.step(pictures, labels)
    np.testing.assert_allclose(trainer.output(), expected, atol=1e-5)
    assert trainer.feature("conv1").shape == (6, 8, 12, 12)
    np.testing.assert_array_equal(trainer.forward(pictures), trainer.output())


def scene(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(count) % 3
    pictures = np.random.default_rng(0).normal(0, 0.3, (count, 1, 6, 6)).astype(np.float32)
    pictures[np.arange(count), 0, classes] += 1
    return pictures, classes


def network() -> sasuka.Model:
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)]
    return nn.Sequential(*layers).model((1, 6, 6), seed=1)


def test_a_learner_mixes_pictures_and_classes() -> None:
    ours = sasuka.Learner(network(), scene(), scene(), mixup=0.3, lr=0.01, batch_size=16, seed=2)
    history = ours.fit(20)
    assert history[-1]["valid_accuracy"] > 0.9
    # What is blended cannot be learnt by heart.
    assert history[-1]["train_loss"] > 2 * history[-1]["valid_loss"]
    loader = DataLoader(ArrayDataset(*scene()), 16, True, seed=2).followed_by(Mixup(0.3, 3))
    model = network()
    trainer = sasuka.Trainer(model, "adamw", 0.01, seed=2)
    losses = [trainer.step(x, rows) for _ in range(20) for x, rows in loader]
    assert ours.losses == losses
    with pytest.raises(sasuka.InvalidArgumentError, match="alpha is -1"):
        sasuka.Learner(network(), scene(), mixup=-1)


def test_a_loader_goes_on_behind_its_own_transform() -> None:
    loader = DataLoader(ArrayDataset(*scene()), 16, transform=[RandomHorizontalFlip(1)], workers=2)
    plain, mixed = next(iter(loader)), next(iter(loader.followed_by(Mixup(0.3, 3))))
    assert plain[1].dtype == np.int64 and mixed[1].shape == (16, 3)
    assert loader.transform is not loader.followed_by(Mixup(0.3, 3)).transform


@pytest.mark.parametrize("mixed", [False, True])
def test_training_accuracy_is_that_of_each_step(mixed: bool) -> None:
    right = counted = 0

    class Count(sasuka.callbacks.Callback):
        def on_batch_end(self, learner: sasuka.Learner, loss: float) -> None:
            nonlocal right, counted
            target = targets[learner.trainer.steps - 1]
            classes = target.argmax(axis=1) if target.ndim == 2 else target
            right += int((learner.trainer.output().argmax(axis=1) == classes).sum())
            counted += len(target)

    ours = sasuka.Learner(network(), scene(60), batch_size=16, lr=0.01, mixup=0.3 if mixed else 0, callbacks=[Count()])
    targets = [target for _, target in ours.train]
    ours.train.epoch = 0
    history = ours.fit(1)
    assert history[0]["train_accuracy"] == right / counted and counted == 60


def test_labels_that_do_not_count_are_no_answers() -> None:
    pictures, classes = scene(48)
    classes = np.where(np.arange(48) < 12, 9, classes)
    history = sasuka.Learner(network(), (pictures, classes), batch_size=16, lr=0.02, ignore_index=9).fit(20)
    assert history[-1]["train_accuracy"] == 1
    nothing = sasuka.Learner(network(), (pictures, np.eye(3)[classes % 3]), loss="mean_squared_error").fit(1)
    assert "train_accuracy" not in nothing[0]
