"""What should not be given, and objects in states in which they should not be: each gets an error that names it, at once."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from typing import Any, Callable

import numpy as np
import pytest
from conftest import build

import sasuka
from sasuka import data

PICTURES = np.random.default_rng(0).standard_normal((4, 3, 12, 12)).astype(np.float32)
LABELS = np.array([0, 1, 4, 2])


@pytest.mark.parametrize("kind", ["c8", "c16", "M8[s]", "m8[s]", "S3", "U3", "O", "V4"])
def test_what_is_no_real_number_is_refused(kind: str, model: sasuka.Model) -> None:
    wrong = np.zeros(PICTURES.shape, dtype=kind)
    trainer, state = sasuka.Trainer(model), model.state_dict()
    calls: list[Callable[[], object]] = [
        lambda: model(wrong),
        lambda: model.session()(wrong),
        lambda: trainer.step(wrong, LABELS),
        lambda: sasuka.Learner(model, (wrong, LABELS)).fit(1),
        lambda: sasuka.Learner(model, (PICTURES, LABELS)).predict(wrong),
        lambda: sasuka.PictureClassifier().fit(wrong, LABELS),
        lambda: trainer.step(PICTURES, np.zeros(4, dtype=kind)),
        lambda: model.load_state_dict({**state, "fc.bias": np.zeros(5, dtype=kind)}),
    ]
    for call in calls:
        with pytest.raises(sasuka.InvalidArgumentError, match="real numbers are expected"):
            call()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize("kind", ["b1", "i1", "u2", "u4", "u8", "f2", "f8", ">f4", ">i2", "g"])
def test_any_real_numbers_are_taken_in_any_layout(kind: str, model: sasuka.Model) -> None:
    numbers = np.abs(PICTURES * 10).astype(kind)
    expected = model(numbers.astype(np.float32))
    wide = np.zeros((8, 3, 12, 24), dtype=kind)
    wide[::2, :, :, ::-2] = numbers
    for given in (numbers, np.asfortranarray(numbers), wide[::2, :, :, ::-2], memoryview(np.ascontiguousarray(numbers, "=" + kind.strip(">")))):
        np.testing.assert_allclose(model(given), expected, atol=1e-6)


@pytest.mark.parametrize("wrong", [3.0, None, "abc", [], np.zeros((0, 3, 12, 12)), np.zeros((1, 3, 0, 12)), np.zeros((1,) * 9)])
def test_no_pictures_at_all(wrong: Any, model: sasuka.Model) -> None:
    with pytest.raises(sasuka.InvalidArgumentError):
        model(wrong)
    with pytest.raises(sasuka.InvalidArgumentError):
        sasuka.Trainer(model).step(wrong, [0])


def test_a_learner_without_pictures_says_so(model: sasuka.Model) -> None:
    nothing = sasuka.Learner(model, (PICTURES[:0], LABELS[:0]), (PICTURES[:0], LABELS[:0]))
    for call in (lambda: nothing.fit(1), lambda: nothing.lr_find(), lambda: nothing.fine_tune(1)):
        with pytest.raises(sasuka.InvalidArgumentError, match="the training data has no batch"):
            call()
    with pytest.raises(sasuka.InvalidArgumentError, match="no picture"):
        nothing.evaluate()
    with pytest.raises(sasuka.InvalidArgumentError, match="no pictures"):
        nothing.predict()
    # Fewer than a batch, of which only whole ones are wanted.
    few = data.DataLoader(data.ArrayDataset(PICTURES, LABELS), 8, drop_last=True)
    with pytest.raises(sasuka.InvalidArgumentError, match="no batch"):
        sasuka.Learner(model, few).lr_find()


def test_a_session_that_is_not_compiled_yet_says_so(model: sasuka.Model) -> None:
    session = model.session()
    for call in (lambda: session.memory, lambda: session.tuning, lambda: session.output_shape, lambda: session.feature("fc")):
        with pytest.raises(sasuka.WrongStateError, match="not compiled yet: run it first, or make it with an input_shape"):
            call()
    assert session(PICTURES).shape == session.output_shape and session.memory > 0
    never = model.session()
    never.close()
    with pytest.raises(sasuka.WrongStateError, match="this Session is closed"):
        never.output_shape


def test_what_is_closed_says_so() -> None:
    model = build()
    session, lazy, trainer, graph = model.session((4, 3, 12, 12)), model.session(), sasuka.Trainer(model), sasuka.Graph((3, 4, 4))
    model.close()
    model.close()
    calls: list[Callable[[], object]] = [
        lambda: model(PICTURES), lambda: model(PICTURES[:1]), model.state_dict, model.parameters, model.summary, model.freeze,
        lambda: model.load_state_dict({}), lambda: model.input_shape, lambda: model.session((1, 3, 12, 12)), lambda: sasuka.Trainer(model),
        lambda: model.save_weights("nowhere.npz"), lambda: model.replace_head(2), lambda: copy.deepcopy(model),
        lambda: model.train()(PICTURES), lambda: lazy(PICTURES),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(sasuka.WrongStateError, match="this Model is closed"):
            call()
    # These keep what they need.
    assert session(PICTURES).shape == (4, 5) and trainer.step(PICTURES, LABELS) > 0
    session.close()
    for call in (lambda: session(PICTURES), lambda: session.memory, lambda: session.feature("fc")):
        with pytest.raises(sasuka.WrongStateError, match="this Session is closed"):
            call()
    trainer.close()
    for call in (
        lambda: trainer.step(PICTURES, LABELS), lambda: trainer.lr, lambda: trainer.steps, lambda: trainer.memory,
        trainer.gradients, trainer.update, trainer.zero_gradients, lambda: setattr(trainer, "lr", 1), trainer.save_checkpoint,
        lambda: trainer.set_schedule("constant"), trainer.freeze,
    ):  # fmt: skip
        with pytest.raises(sasuka.WrongStateError, match="this Trainer is closed"):
            call()
    graph.close()
    with pytest.raises(sasuka.WrongStateError, match="this Graph is closed"):
        graph.conv2d(graph.input, "conv", 4, 3)
    for owner in (model, session, trainer, graph):
        assert repr(owner) == f"{type(owner).__name__}(closed)"


def test_what_owns_memory_is_not_copied_by_half(model: sasuka.Model) -> None:
    owners = [model, model.session((1, 3, 12, 12)), sasuka.Trainer(model), sasuka.Graph((3, 4, 4)), sasuka.Learner(model, (PICTURES, LABELS))]
    for owner in owners:
        with pytest.raises(TypeError, match="owns memory of the library and is neither pickled nor copied"):
            pickle.dumps(owner)
    for owner in owners[:4]:
        with pytest.raises(TypeError, match=f"a {type(owner).__name__} owns memory"):
            copy.copy(owner)
    for owner in owners[1:4]:
        with pytest.raises(TypeError, match=f"a {type(owner).__name__} owns memory"):
            copy.deepcopy(owner)


def test_a_deep_copy_of_a_model_is_a_model_of_its_own() -> None:
    model = build(dropout=0.2)
    model.freeze("conv1*").train()
    twin = copy.deepcopy(model)
    assert twin.training and twin.frozen() == model.frozen() == ["conv1.weight", "conv1.bias"]
    before = model.state_dict()
    for name, array in twin.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    expected = model.eval()(PICTURES)
    sasuka.Trainer(twin.eval(), lr=0.1).step(PICTURES, LABELS)
    np.testing.assert_array_equal(model(PICTURES), expected)
    model.close()
    assert (twin(PICTURES) != expected).any() and len(twin.layers()) > 5
    deep = sasuka.create_model("googlenet", num_classes=3, aux_logits=True, seed=1)
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    losses = [sasuka.Trainer(each, seed=1).forward_backward(x, [0, 2]) for each in (deep, copy.deepcopy(deep))]
    assert losses[0] == losses[1]


def test_everything_tells_what_it_is(model: sasuka.Model) -> None:
    session = model.session()
    assert repr(session) == "Session(not compiled yet)"
    session(PICTURES)
    assert repr(session).endswith("parameters), output_shape=(4, 5))")
    trainer = sasuka.Trainer(model, lr=0.5)
    trainer.step(PICTURES, LABELS)
    assert repr(trainer).endswith("loss='cross_entropy', lr=0.5, 1 steps)")
    assert repr(sasuka.Graph((3, 4, 5))) == "Graph(input_shape=(3, 4, 5))"
    loader = data.DataLoader(data.ArrayDataset(PICTURES, LABELS), 3, True)
    assert repr(loader) == "DataLoader(ArrayDataset(4 pictures), 2 batches of 3, shuffled)"
    assert repr(model.profile(PICTURES, runs=1)).startswith("Profile(")
    for value in (session, trainer, loader, model, sasuka.LearningRateFinder(), sasuka.preprocessing("resnet18")):
        assert " object at 0x" not in repr(value)


def test_threads_that_share_a_session_are_told_so() -> None:
    model = sasuka.create_model("resnet18", threads=1)
    session, x = model.session((1, 3, 224, 224)), np.zeros((1, 3, 224, 224), dtype=np.float32)
    expected = session(x)
    found: list[object] = []

    def run() -> None:
        for _ in range(5):
            try:
                found.append((session(x) == expected).all())
            except sasuka.BusyError as error:
                found.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in found if isinstance(answer, str)]
    assert len(refused) < 15 and all(answer is np.True_ or answer in refused for answer in found)
    assert refused and all("session is in use" in answer for answer in refused)


def test_closing_what_another_thread_uses_waits_for_its_call() -> None:
    model = sasuka.create_model("resnet18", num_classes=3, threads=1)
    trainer, x = sasuka.Trainer(model), np.zeros((2, 3, 224, 224), dtype=np.float32)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            while True:
                trainer.step(x, [0, 1])
        except sasuka.SasukaError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)
    trainer.close()
    model.close()
    thread.join(60)
    assert len(ended) == 1 and isinstance(ended[0], sasuka.WrongStateError)
