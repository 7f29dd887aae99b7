from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import build

import sasuka


def test_training_lowers_the_loss(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.05, momentum=0.9, weight_decay=1e-4)
    losses = [trainer.step(pictures, labels) for _ in range(20)]
    assert losses[0] == pytest.approx(np.log(5), abs=1) and losses[-1] < 0.1 * losses[0]
    found = trainer.evaluate(pictures, labels)
    assert found.accuracy == 1 and found.samples == 6 and trainer.steps == 20


def test_a_step_of_sgd_is_the_formula(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    before = model.state_dict()
    trainer.zero_gradients()
    trainer.forward_backward(pictures, labels)
    gradients = {name: array.copy() for name, array in trainer.gradients().items()}
    trainer.update()
    after = model.state_dict()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], before[name] - np.float32(0.1) * gradient, rtol=1e-6, atol=1e-7)


def test_gradients_add_up_and_can_be_changed(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    trainer.zero_gradients()
    trainer.forward_backward(pictures, labels)
    views = trainer.gradients()
    once = views["fc.weight"].copy()
    trainer.forward_backward(pictures, labels)
    np.testing.assert_allclose(views["fc.weight"], 2 * once, rtol=1e-5, atol=1e-6)
    for view in views.values():
        view[...] = 0
    before = model.state_dict()["fc.weight"]
    trainer.update()
    np.testing.assert_array_equal(model.state_dict()["fc.weight"], before)


def test_gradients_outlive_the_name_of_their_trainer(
    model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray
) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    trainer.forward_backward(pictures, labels)
    copies = {name: array.copy() for name, array in trainer.gradients().items()}
    kept, views = weakref.ref(trainer), trainer.gradients()
    del trainer
    gc.collect()
    for name, copy in copies.items():
        np.testing.assert_array_equal(views[name], copy)
    row = views["fc.weight"][0]
    del views
    assert kept() is not None
    del row
    gc.collect()
    assert kept() is None


def test_groups_freeze(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "adam", 0.01)
    trainer.add_group("conv*", frozen=True)
    before = model.state_dict()
    trainer.step(pictures, labels)
    after = model.state_dict()
    np.testing.assert_array_equal(after["conv1.weight"], before["conv1.weight"])
    assert (after["fc.weight"] != before["fc.weight"]).any()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_checkpoints_go_on_bit_for_bit(
    tmp_path: Path, optimizer: str, pictures: np.ndarray, labels: np.ndarray
) -> None:
    first = build(dropout=0.3)
    trainer = sasuka.Trainer(first, optimizer, 0.01, momentum=0.9 if optimizer in ("sgd", "rmsprop") else 0, seed=3)
    for _ in range(3):
        trainer.step(pictures, labels)
    trainer.save_checkpoint(tmp_path / "checkpoint")
    data = trainer.save_checkpoint()
    expected = [trainer.step(pictures, labels) for _ in range(3)]
    for source in (tmp_path / "checkpoint", data):
        second = build(seed=9, dropout=0.3)
        resumed = sasuka.Trainer(
            second, optimizer, 0.01, momentum=0.9 if optimizer in ("sgd", "rmsprop") else 0, seed=3
        )
        resumed.load_checkpoint(source)
        assert resumed.steps == 3
        assert [resumed.step(pictures, labels) for _ in range(3)] == expected
        for name, array in second.state_dict().items():
            np.testing.assert_array_equal(array, first.state_dict()[name])


def test_schedules(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 1e-3)
    trainer.set_schedule("step", step_size=2, gamma=0.5)
    rates = []
    for _ in range(5):
        rates.append(trainer.lr)
        trainer.step(pictures, labels)
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4])
    with pytest.raises(TypeError, match="'stepsize' is no setting"):
        trainer.set_schedule("step", stepsize=2)
    with pytest.raises(ValueError, match="step_size is 0"):
        trainer.set_schedule("step")


def test_wrong_targets_are_refused(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model)
    before = model.state_dict()
    with pytest.raises(sasuka.InvalidArgumentError, match="5"):
        trainer.step(pictures, np.where(labels == 4, 5, labels))
    with pytest.raises(sasuka.InvalidArgumentError, match=r"\[5\]"):
        trainer.step(pictures, labels[:5])
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def big() -> tuple[sasuka.Model, np.ndarray, np.ndarray]:
    """A network and a batch whose training step takes seconds."""
    graph = sasuka.Graph((32, 64, 64))
    x = graph.input
    for layer in range(4):
        x = graph.batch_norm2d(graph.conv2d(x, f"conv{layer}", 128, 5, padding=2), f"bn{layer}")
    model = graph.model(graph.linear(graph.flatten(graph.adaptive_avg_pool2d(x, 1)), "fc", 3))
    return model, np.ones((32, 32, 64, 64), dtype=np.float32), np.zeros(32, dtype=np.int64)


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Python's own reaction to Ctrl-C, which shells take from what they start in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_a_step_and_changes_nothing(keyboard: None) -> None:
    model, pictures, labels = big()
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    before, sent = {}, []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.5, send).start()
    with pytest.raises(KeyboardInterrupt):
        # However fast the machine is, one of these is at work when the signal comes.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            before = model.state_dict()
            trainer.step(pictures, labels)
    # 100 ms are promised on an idle machine; this one may be busy, and the whole step takes longer still.
    assert time.monotonic() - sent[0] < 5
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_threads_run_sessions_at_the_same_time(model: sasuka.Model, pictures: np.ndarray) -> None:
    expected, results = model(pictures), {}

    def work(number: int) -> None:
        with model.session(threads=1) as session:
            results[number] = [session(pictures) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results.values():
        for output in result:
            np.testing.assert_array_equal(output, expected)


def test_features_and_their_gradients_are_watched(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    names = ["conv1", "bn1", "bn2", "fc", "input"]
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    trainer.watch(names)
    with pytest.raises(sasuka.WrongStateError, match="no pass of the trainer"):
        trainer.feature("conv1")
    trainer.step(pictures, labels)
    np.testing.assert_array_equal(trainer.feature("input"), pictures)
    normalised = trainer.feature("bn1")
    np.testing.assert_allclose(normalised.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=(0, 2, 3)), 1, rtol=1e-3)
    # Of the mean cross-entropy: what softmax says less what is right.
    shares = np.exp(trainer.feature("fc") - trainer.feature("fc").max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    expected = (shares - np.eye(5)[labels]) / len(labels)
    np.testing.assert_allclose(trainer.feature_gradient("fc"), expected, rtol=1e-4, atol=1e-6)
    for norm in ("bn1", "bn2"):
        bias = trainer.feature_gradient(norm).sum(axis=(0, 2, 3))
        np.testing.assert_allclose(bias, trainer.gradients()[norm + ".bias"], rtol=1e-4, atol=1e-6)
    # An evaluation leaves them; a forward pass has no gradients.
    trainer.evaluate(pictures, labels)
    np.testing.assert_array_equal(trainer.feature("bn1"), normalised)
    logits = trainer.forward(pictures)
    np.testing.assert_array_equal(trainer.feature("fc"), logits)
    with pytest.raises(sasuka.WrongStateError):
        trainer.feature_gradient("fc")
    with pytest.raises(sasuka.NotFoundError, match='"fc2" is none of the 5'):
        trainer.feature("fc2")
    with pytest.raises(sasuka.NotFoundError, match='called "layer9"'):
        trainer.watch(["fc", "layer9"])
    trainer.watch([])
    with pytest.raises(sasuka.NotFoundError):
        trainer.feature("fc")


def test_watching_changes_nothing(pictures: np.ndarray, labels: np.ndarray) -> None:
    """Frozen layers, whose gradients nobody else wants, can be watched too."""
    states, losses = [], []
    for watched in ([], ["conv1", "conv2", "input"]):
        model = build(dropout=0.3)
        trainer = sasuka.Trainer(model, "sgd", 0.1, momentum=0.9)
        trainer.freeze("conv*")
        trainer.watch(watched)
        losses.append([trainer.step(pictures, labels) for _ in range(3)])
        states.append(model.state_dict())
        if watched:
            assert np.abs(trainer.feature_gradient("input")).max() > 0
            assert trainer.gradient_norm("conv*") == 0
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for name, array in states[0].items():
        np.testing.assert_allclose(states[1][name], array, rtol=1e-4, atol=1e-6)


def test_watched_gradients_are_pytorch_s(pictures: np.ndarray, labels: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    layers = "nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.GroupNorm(3, 6), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(150, 5)"
    theirs = torch.nn.Sequential(*eval(layers, {"nn": torch.nn})).double()
    model = sasuka.nn.Sequential(*eval(layers, {"nn": sasuka.nn})).model((3, 12, 12))
    model.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    names = [str(place) for place in range(7)]
    trainer = sasuka.Trainer(model)
    trainer.watch(names)
    trainer.step(pictures, labels)
    x, values = torch.from_numpy(pictures).double(), []
    for layer in theirs:
        x = layer(x)
        x.retain_grad()
        values.append(x)
    torch.nn.functional.cross_entropy(x, torch.from_numpy(labels)).backward()
    for name, value in zip(names, values):
        ours = trainer.feature(name), trainer.feature_gradient(name)
        for found, expected in zip(ours, (value.detach().numpy(), value.grad.numpy())):
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), err_msg=name)
