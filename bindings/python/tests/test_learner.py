"""Training from end to end."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import sasuka
from sasuka import nn
from sasuka.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    Logs,
    Schedule,
    TrainerCheckpoint,
)
from sasuka.data import ArrayDataset, DataLoader
from sasuka.lr_finder import LearningRateFinder, exponential_rates
from sasuka.transforms import Batch, RandomHorizontalFlip


def stripes(count: int = 96, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures [count, 1, 8, 8] with a bright row (class 0), column (1) or neither (2)."""
    random = np.random.default_rng(seed)
    pictures = random.normal(0, 0.2, (count, 1, 8, 8)).astype(np.float32)
    classes = random.integers(0, 3, count)
    for picture, number, place in zip(pictures[:, 0], classes, random.integers(0, 8, count)):
        if number == 0:
            picture[place] += 1
        elif number == 1:
            picture[:, place] += 1
    return pictures, classes


def network(seed: int = 1, dropout: float = 0.0) -> sasuka.Model:
    return nn.Sequential(
        {
            "conv": nn.Conv2d(1, 8, 3, padding=1, bias=False),
            "bn": nn.BatchNorm2d(8),
            "relu": nn.ReLU(),
            "pool": nn.MaxPool2d(2),
            "flatten": nn.Flatten(),
            "dropout": nn.Dropout(dropout),
            "fc": nn.LazyLinear(3),
        }
    ).model((1, 8, 8), seed=seed)


def learner(**settings: object) -> sasuka.Learner:
    settings = {"lr": 0.01, "batch_size": 16, "seed": 3, **settings}
    return sasuka.Learner(network(dropout=0.1), stripes(), stripes(48, seed=1), **settings)  # type: ignore[arg-type]


def equal(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(array, second[name]) for name, array in first.items())


def test_it_learns_and_writes_history() -> None:
    ours = learner()
    history = ours.fit(8)
    assert [row["epoch"] for row in history] == list(range(8)) and len(ours.losses) == len(ours.rates) == 48
    assert history[-1]["valid_accuracy"] > 0.9 > history[0]["valid_accuracy"]
    found = ours.evaluate()
    assert found.loss == pytest.approx(history[-1]["valid_loss"]) and found.samples == 48
    assert history.column("train_loss")[-1] == pytest.approx(np.mean(ours.losses[-6:]), rel=1e-6)
    assert math.isnan(history.column("nothing")[0])


def test_a_fit_is_the_bare_loop() -> None:
    ours = learner()
    ours.fit(2)
    model = network(dropout=0.1)
    trainer = sasuka.Trainer(model, "adamw", 0.01, seed=3)
    loader = DataLoader(ArrayDataset(*stripes()), 16, True, seed=3)
    losses = [trainer.step(x, target) for _ in range(2) for x, target in loader]
    assert ours.losses == losses and equal(model.state_dict(), ours.model.state_dict())


def test_predictions_are_probabilities() -> None:
    ours = learner()
    ours.fit_one_cycle(5, 0.02)
    pictures, classes = stripes(48, seed=1)
    probabilities = ours.predict()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities, ours.predict(pictures))
    np.testing.assert_array_equal(probabilities, ours.predict(ArrayDataset(pictures, classes)))
    assert (probabilities.argmax(axis=1) == classes).mean() == pytest.approx(ours.evaluate().accuracy)
    logits = ours.model(pictures).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)


def test_one_cycle_rises_and_falls() -> None:
    ours = learner()
    ours.fit_one_cycle(5, 0.02)
    assert ours.rates[0] == pytest.approx(0.02 / 25) and max(ours.rates) == pytest.approx(0.02, rel=0.02)
    assert int(np.argmax(ours.rates)) in (8, 9) and ours.rates[-1] < 1e-4


def test_lr_find_leaves_everything_as_it_was() -> None:
    ours, untouched = learner(), learner()
    before = ours.model.state_dict()
    finder = ours.lr_find(1e-5, 10, steps=60)
    assert equal(before, ours.model.state_dict())
    assert 1e-4 < finder.suggestion < 1 and len(finder.rates) == len(finder.losses) <= 60
    assert ours.fit(1)[0]["train_loss"] == untouched.fit(1)[0]["train_loss"]
    state, trainer = ours.model.state_dict(), ours.trainer
    ours.lr_find(steps=20)
    assert ours.trainer is trainer and equal(state, ours.model.state_dict())


def test_lr_find_searches_on_a_copy() -> None:
    """So that whatever stops it, and whoever uses the model meanwhile, nothing has to be put back."""
    ours = learner()
    before, found = ours.model.state_dict(), []

    class Looking:
        def __call__(self, pictures: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> Batch:
            found.append(equal(before, ours.model.state_dict()) and ours.train.epoch == 0)
            return pictures, targets

    ours.train = ours.train.followed_by(Looking())
    finder = ours.lr_find(1e-3, 10, steps=20)
    assert len(found) == len(finder.rates) and all(found) and ours.train.epoch == 0


def test_the_suggestion_is_where_the_loss_falls_fastest() -> None:
    finder = LearningRateFinder()
    for rate in exponential_rates(1e-6, 1, 200):
        fall = 1 / (1 + math.exp(-3 * (math.log10(rate) + 3)))
        finder.add(rate, 3 - 2 * fall + (50 * (rate - 0.3) ** 2 if rate > 0.3 else 0))
    # The loss falls fastest at 1e-3; averaging over about ten steps of a factor of 1.07 moves that to the right, by about 2.
    assert 1e-3 <= finder.suggestion < 3e-3
    rising = LearningRateFinder()
    for rate in exponential_rates(1e-6, 1, 20):
        rising.add(rate, 1 + rate)
    with pytest.raises(sasuka.WrongStateError, match="does not fall"):
        rising.suggestion


def test_fine_tuning_trains_the_head_first() -> None:
    ours = learner()
    before = ours.model.state_dict()
    states = []
    watch = LambdaCallback(on_fit_end=lambda learner: states.append(learner.model.state_dict()))
    ours.callbacks.append(watch)
    assert ours.head() == "fc.*"
    assert len(ours.fine_tune(2, 0.01)) == 3
    np.testing.assert_array_equal(states[0]["conv.weight"], before["conv.weight"])
    assert (states[0]["fc.weight"] != before["fc.weight"]).any()
    assert (states[1]["conv.weight"] != before["conv.weight"]).any()
    ours.model.freeze("bn.*")
    before = ours.model.state_dict()
    ours.fine_tune(1, 0.01)
    np.testing.assert_array_equal(ours.model.state_dict()["bn.weight"], before["bn.weight"])
    assert (ours.model.state_dict()["conv.weight"] != before["conv.weight"]).any()


def test_freezing_by_pattern() -> None:
    ours = learner()
    ours.freeze(except_for="fc.*")
    assert ours.model.frozen() == ["conv.weight", "bn.weight", "bn.bias"]
    before = ours.model.state_dict()
    ours.fit(1)
    after = ours.model.state_dict()
    np.testing.assert_array_equal(after["conv.weight"], before["conv.weight"])
    assert (after["fc.weight"] != before["fc.weight"]).any()
    ours.unfreeze()
    ours.fit(1)
    assert (ours.model.state_dict()["conv.weight"] != before["conv.weight"]).any() and ours.model.frozen() == []


def test_early_stopping_and_the_best_weights(tmp_path: Path) -> None:
    states = []
    keep = LambdaCallback(on_epoch_end=lambda learner, logs: states.append(learner.model.state_dict()))
    stop = EarlyStopping(patience=2, restore_best=True)
    best = Checkpoint(tmp_path / "best-{epoch}.safetensors")
    # A rate so high that the validation loss soon rises.
    ours = learner(optimizer="sgd", lr=1.5, callbacks=[keep, best, stop])
    history = ours.fit(60)
    losses = history.column("valid_loss")
    lowest = int(np.argmin(losses))
    assert len(history) == lowest + 3 < 60
    assert equal(ours.model.state_dict(), states[lowest])
    copy = network()
    copy.load_weights(tmp_path / f"best-{lowest}.safetensors")
    assert equal(copy.state_dict(), states[lowest])
    with pytest.raises(sasuka.InvalidArgumentError, match="'accuracy' is none of the epoch's numbers: epoch, train_loss"):
        ours.fit(1, callbacks=[EarlyStopping("accuracy")])


def test_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = learner()
    whole.fit(4, callbacks=[Schedule("cosine")])
    broken = learner()

    class Stop(Callback):
        def on_epoch_end(self, learner: sasuka.Learner, logs: Logs) -> None:
            learner.stop = learner.epoch == 1

    broken.fit(4, callbacks=[Schedule("cosine"), TrainerCheckpoint(tmp_path / "run"), Stop()])
    resumed = learner()
    history = resumed.fit(4, callbacks=[Schedule("cosine")], resume=tmp_path / "run")
    assert [row["epoch"] for row in history] == [2, 3]
    assert equal(resumed.model.state_dict(), whole.model.state_dict())
    assert resumed.losses == whole.losses[12:]


def test_schedules_by_function_and_by_name() -> None:
    ours = learner()
    ours.fit(2, callbacks=[Schedule(lambda share: 0.01 * (1 - share))])
    np.testing.assert_allclose(ours.rates, 0.01 * (1 - np.arange(12) / 12))
    ours = learner()
    ours.fit(2, callbacks=[Schedule("multi_step", milestones=[6], gamma=0.1)])
    np.testing.assert_allclose(ours.rates, [0.01] * 6 + [0.001] * 6)


def test_the_log_is_a_table(tmp_path: Path) -> None:
    ours = learner(callbacks=[CSVLogger(tmp_path / "log.csv", append=True)])
    ours.fit(2)
    ours.fit(1)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_loss"]) for row in rows] == ours.history.column("train_loss").tolist()
    ours.history.to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text().splitlines()[0].startswith("epoch,train_loss,train_accuracy,valid_loss")


def test_callbacks_are_called_in_order() -> None:
    calls: list[str] = []

    class Watch(Callback):
        def __getattribute__(self, name: str) -> object:
            if name.startswith("on_"):
                calls.append(name)
            return super().__getattribute__(name)

    learner(callbacks=[Watch()]).fit(1)
    steps = ["on_batch_begin", "on_batch_end"] * 6
    assert calls == ["on_fit_begin", "on_epoch_begin", *steps, "on_epoch_end", "on_fit_end"]
    with pytest.raises(TypeError, match="'on_end' is no method of a callback; on_fit_begin"):
        LambdaCallback(on_end=print)


def test_regression_learns_too() -> None:
    pictures, classes = stripes()
    ours = sasuka.Learner(network(), (pictures, np.eye(3, dtype=np.float32)[classes]), loss="mean_squared_error", lr=0.01)
    history = ours.fit(10)
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    np.testing.assert_array_equal(ours.predict(pictures), np.concatenate([ours.model(p) for p in np.split(pictures, 3)]))


def test_notebooks_show_the_history_as_a_table() -> None:
    history = sasuka.History([{"epoch": 0, "train_loss": 0.123456}, {"epoch": 1, "train_loss": 0.5, "mine": 2}])
    assert history._repr_html_() == (
        "<table><tr><th>epoch</th><th>train loss</th><th>mine</th></tr>"
        "<tr><td>0</td><td>0.1235</td><td></td></tr><tr><td>1</td><td>0.5</td><td>2</td></tr></table>"
    )


def test_bars_are_shown_when_asked_only(capsys: pytest.CaptureFixture[str]) -> None:
    learner().fit(1)
    assert capsys.readouterr() == ("", "")
    learner(progress=True).fit(2)
    shown = capsys.readouterr().err
    assert "epoch 2/2:   0%" in shown and "pictures/s" in shown
    last = shown.rstrip().split("\r")[-1].rstrip()
    assert re.fullmatch(r"epoch 2/2: 00:\d\d, loss [\d.]+ \(valid [\d.]+\), accuracy [\d.]+ \(valid [\d.]+\)", last)
    assert len(last) < 80
    finder = learner(progress=True).lr_find(1e-5, 10, steps=40)
    shown = capsys.readouterr().err
    last = shown.rstrip().split("\r")[-1].rstrip()
    assert "lr_find:   0%" in shown and re.fullmatch(rf"lr_find: 00:\d\d, loss {min(finder.smoothed):.4g}", last)
    # As it goes: time so far and left, speed, loss and accuracy.
    slow = LambdaCallback(on_batch_end=lambda learner, loss: time.sleep(0.05))
    learner(progress=True, callbacks=[slow]).fit(1)
    shown = capsys.readouterr().err
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d, .*pictures/s, loss \d\.\d{4}, accuracy [01]\.\d{4}\]", shown)


def test_bars_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    learner().fit(1)
    assert terminal.getvalue() == ""
    with pytest.raises(ImportError, match=r'showing progress needs tqdm: pip install "sasuka\[progress\]"'):
        learner(progress=True).fit(1)


@pytest.mark.parametrize("what", ["fit", "lr_find"])
def test_ctrl_c_stops_and_leaves_everything_usable(what: str) -> None:
    model = nn.Sequential(
        nn.Conv2d(32, 128, 5, padding=2), nn.Conv2d(128, 128, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 3)
    ).model((32, 32, 32))
    pictures, classes = np.ones((256, 32, 32, 32), dtype=np.float32), np.zeros(256, dtype=np.int64)
    flip = DataLoader(ArrayDataset(pictures, classes), 64, transform=[RandomHorizontalFlip()], workers=1)
    ended = []
    end = LambdaCallback(on_fit_end=lambda learner: ended.append(learner.epoch))
    ours = sasuka.Learner(model, flip, lr=1e-3, callbacks=[end])
    before, sent = model.state_dict(), []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.4, send).start()
        with pytest.raises(KeyboardInterrupt):
            ours.fit(1000) if what == "fit" else ours.lr_find(steps=10**6)
    finally:
        signal.signal(signal.SIGINT, handler)
    # 100 ms are promised on an idle machine; this one may be busy.
    assert time.monotonic() - sent[0] < 5
    if what == "fit":
        assert len(ended) == 1
    else:
        assert equal(before, model.state_dict())
    assert np.isfinite(model(pictures[:1])).all()
    assert ours.evaluate((pictures[:8], classes[:8])).samples == 8


def test_what_is_missing_is_said() -> None:
    ours = sasuka.Learner(network(), stripes())
    with pytest.raises(sasuka.WrongStateError, match="no validation data; give evaluate some"):
        ours.evaluate()
    with pytest.raises(sasuka.WrongStateError, match="nothing was trained yet"):
        ours.trainer
    with pytest.raises(sasuka.InvalidArgumentError, match="epochs is 0"):
        ours.fit(0)
    with pytest.raises(sasuka.InvalidArgumentError, match="steps is 5; .* at least 20 steps"):
        ours.lr_find(steps=5)
    with pytest.raises(TypeError, match="momentums"):
        learner(momentums=3).fit(1)
