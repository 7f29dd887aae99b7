"""Ctrl-C stops long calls within 100 ms, and leaves everything usable.

What counts is what the calling thread computes from the signal to the exception: that does not depend on what else a busy
machine does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

import sasuka
from sasuka import nn
from sasuka._interrupts import with_ending

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Benchmarks"))
from interrupt import latency  # noqa: E402


@pytest.fixture(autouse=True)
def keyboard() -> Iterator[None]:
    """Python's own reaction to Ctrl-C, which shells take from what they start in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


PICTURES = np.ones((64, 32, 32, 32), dtype=np.float32)
LABELS = np.zeros(64, dtype=np.int64)


def network() -> sasuka.Model:
    """A forward pass of all pictures takes some tenths of a second."""
    wide = [nn.Conv2d(32, 128, 5, padding=2), nn.Conv2d(128, 128, 5, padding=2), nn.Conv2d(128, 128, 5, padding=2)]
    return nn.Sequential(*wide, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 3)).model((32, 32, 32), threads=1)


def stepping(model: sasuka.Model) -> Callable[[], object]:
    trainer = sasuka.Trainer(model)
    return lambda: [trainer.step(PICTURES, LABELS) for _ in range(1000)]


def evaluating(model: sasuka.Model) -> Callable[[], object]:
    trainer = sasuka.Trainer(model)
    return lambda: [trainer.evaluate(PICTURES, LABELS) for _ in range(1000)]


def fitting(model: sasuka.Model) -> Callable[[], object]:
    learner = sasuka.Learner(model, (PICTURES, LABELS), progress=False)
    return lambda: learner.fit(1000)


def searching(model: sasuka.Model) -> Callable[[], object]:
    learner = sasuka.Learner(model, (PICTURES, LABELS), progress=False)
    return lambda: learner.lr_find(steps=10**6)


def predicting(model: sasuka.Model) -> Callable[[], object]:
    learner = sasuka.Learner(model, (PICTURES, LABELS), progress=False)
    return lambda: [learner.predict(PICTURES) for _ in range(1000)]


def differentiating(model: sasuka.Model) -> Callable[[], object]:
    session = model.session(PICTURES.shape, features=["input"], gradients=True)
    return lambda: [(session(PICTURES), session.backward(np.ones((64, 3)))) for _ in range(1000)]


@pytest.mark.parametrize("work", [stepping, evaluating, fitting, searching, predicting, differentiating])
def test_ctrl_c_stops_within_a_tenth_of_a_second(work: Callable[[sasuka.Model], Callable[[], object]]) -> None:
    model = network()
    running, before = work(model), model.state_dict()
    for delay in (0.3, 0.5):
        _, computed = latency(running, delay)
        assert computed < 0.1
        if work is searching:
            for name, array in model.state_dict().items():
                np.testing.assert_array_equal(array, before[name])
    assert np.isfinite(model(PICTURES[:1])).all()


def test_drawing_first_weights_is_stopped_and_begun_again() -> None:
    model = sasuka.create_model("resnet18", seed=5, threads=1)
    # Eleven million numbers take longer than this.
    _, computed = latency(lambda: model.session((1, 3, 224, 224)), 0.05)
    assert computed < 0.1
    expected = sasuka.create_model("resnet18", seed=5).state_dict()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, expected[name])


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_ending_is_done_whole() -> None:
    done: list[str] = []

    def work() -> str:
        done.append("work")
        press()
        done.append("never")
        return "result"

    def ending() -> None:
        for part in ("one", "two"):
            press()
            done.append(part)

    with pytest.raises(KeyboardInterrupt):
        with_ending(work, ending)
    assert done == ["work", "one", "two"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done.clear()
    with pytest.raises(KeyboardInterrupt):
        with_ending(lambda: done.append("work"), ending)
    assert done == ["work", "one", "two"]
    with pytest.raises(ZeroDivisionError):
        with_ending(lambda: 1 / 0, lambda: done.append("ended"))
    assert done[-1] == "ended" and with_ending(lambda: 3, lambda: None) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_weights_are_loaded_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    state = {name: array + 1 for name, array in model.state_dict().items()}
    function, calls = sasuka.model.lib.sasuka_model_set_parameter, []

    class Library:
        """Presses Ctrl-C after the second parameter."""

        def __getattr__(self, name: str) -> object:
            return getattr(library, name)

        def sasuka_model_set_parameter(self, *arguments: object) -> None:
            function(*arguments)
            calls.append(arguments)
            if len(calls) == 2:
                press()

    library = sasuka.model.lib
    monkeypatch.setattr(sasuka.model, "lib", Library())
    with pytest.raises(KeyboardInterrupt):
        model.load_state_dict(state)
    assert len(calls) == len(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
