"""Names that other libraries have end in an error that says what to call here."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any, Callable

import numpy as np
import pytest

import sasuka
from sasuka import _elsewhere, data, nn


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """What names in the hints stand for."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).model((1, 2, 2))
    data = np.zeros((4, 1, 2, 2), dtype=np.float32), [0, 1, 0, 1]
    learner = sasuka.Learner(model, data, valid=data, progress=False)
    learner.fit(1)
    return {
        "sasuka": sasuka,
        "model": model,
        "parameter": model.parameters()[0],
        "learner": learner,
        "trainer": learner.trainer,
        "layers": nn.Flatten(),
    }


TABLES = {
    "model": _elsewhere.MODEL,
    "parameter": _elsewhere.PARAMETER,
    "learner": _elsewhere.LEARNER,
    "trainer": _elsewhere.TRAINER,
    "learner.history": _elsewhere.HISTORY,
    "sasuka": _elsewhere.PACKAGE,
    "sasuka.nn": _elsewhere.LAYERS,
    "layers": _elsewhere.MODULE,
    "sasuka.data": _elsewhere.DATA,
    "sasuka.transforms": _elsewhere.TRANSFORMS,
    "sasuka.callbacks": _elsewhere.CALLBACKS,
    "sasuka.plots": _elsewhere.PLOTS,
}
CASES = [(owner, name, hint) for owner, table in TABLES.items() for name, hint in table.items()]


def found(here: dict[str, Any], path: str) -> Any:
    first, *rest = path.split(".")
    value = here[first]
    for name in rest:
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(("owner", "name", "hint"), CASES, ids=lambda text: text if len(text) < 30 else "")
def test_the_error_says_what_to_call(here: dict[str, Any], owner: str, name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; {re.escape(hint)}$"):
        getattr(found(here, owner), name)


DATASET = data.ArrayDataset(np.zeros((4, 1, 2, 2), dtype=np.float32), [0, 1, 0, 1])
ARGUMENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, str]]] = {
    "create_model": (sasuka.create_model, lambda here: ("lenet5",), _elsewhere.CREATE),
    "list_models": (sasuka.list_models, lambda here: (), _elsewhere.LIST),
    "Learner": (sasuka.Learner, lambda here: (here["model"], DATASET), _elsewhere.LEARN),
    "Learner.fit": (sasuka.Learner.fit, lambda here: (here["learner"],), _elsewhere.FIT),
    "DataLoader": (data.DataLoader, lambda here: (DATASET,), _elsewhere.LOAD),
    "random_split": (data.random_split, lambda here: (DATASET,), _elsewhere.SPLIT),
    "ImageFolder": (data.ImageFolder, lambda here: (".",), _elsewhere.FOLDER),
}
NAMED = [(function, name, hint) for function, (_, _, table) in ARGUMENTS.items() for name, hint in table.items()]


@pytest.mark.parametrize(("function", "name", "hint"), NAMED, ids=lambda text: text if len(text) < 30 else "")
def test_arguments_of_others_are_refused_with_what_to_do(here: dict[str, Any], function: str, name: str, hint: str) -> None:
    call, arguments, _ = ARGUMENTS[function]
    with pytest.raises(TypeError, match=rf"^{re.escape(function)}\(\) takes no '{name}'; {re.escape(hint)}$"):
        call(*arguments(here), **{name: 1})
    assert name not in inspect.signature(call).parameters


@pytest.mark.parametrize("function", ARGUMENTS)
def test_arguments_of_nobody_are_refused_too(here: dict[str, Any], function: str) -> None:
    call, arguments, _ = ARGUMENTS[function]
    with pytest.raises(TypeError, match="'nonsense'"):
        call(*arguments(here), nonsense=1)


def test_what_takes_the_place_of_another_is_called_by_its_name(here: dict[str, Any]) -> None:
    model, pictures = here["model"], DATASET.pictures
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: sasuka.Learner(nn.Flatten(), DATASET), "model is a Flatten; a sasuka.Model is expected: layers are"),
        (lambda: sasuka.Trainer(DATASET), "model is a ArrayDataset; a sasuka.Model is expected$"),
        (lambda: nn.Flatten()(pictures), r"a Flatten is not called: layers are the plan .* .model\(input_shape\) makes"),
        (lambda: sasuka.Learner(model, pictures, [0, 1]), "data is a ndarray; a DataLoader, a Dataset or"),
        (lambda: sasuka.Learner(model, DATASET, optimizer="Adam"), "optimizer 'Adam'; one of 'sgd', 'adam'"),
        (lambda: sasuka.Learner(model, DATASET, loss="mse"), "loss 'mse'; one of 'cross_entropy', 'mean"),
        (lambda: here["learner"].fit(pictures, [0, 1]), "epochs is a ndarray; a whole number is expected"),
        (lambda: here["learner"].predict("a.jpg"), r"data is a path; .* sasuka.Bundle\(...\).predict\(\['a.jpg'\]\)"),
        (lambda: here["learner"].predict(pictures[0, 0]), r"pictures have shape \[2, 2\]; \[n, 1, 2, 2\] is expected"),
        (lambda: data.DataLoader(pictures, 2), "data is a ndarray; a DataLoader, a Dataset or"),
        (lambda: data.random_split(DATASET, [2, 2]), r"fraction is \[2, 2\]; the share that is held out"),
        (lambda: model.load_weights({}), r"source is a dictionary; .* model.load_state_dict\(state\) takes"),
        (lambda: nn.Flatten().model(3), r"a shape is 3; sizes are expected"),
        (lambda: model.save_weights("model.onnx"), "model.onnx: .onnx is not written; .safetensors"),
        (lambda: model.load_weights("https://host/resnet18.pth"), "resnet18.pth: nothing is downloaded"),
        (lambda: sasuka.Bundle(model, "lenet5", ["a", "b"], sasuka.Preprocessing()).save("never"), "the model is not lenet5 with 2"),
    ]
    for call, message in refused:
        with pytest.raises((TypeError, ValueError, OSError), match=message):
            call()
    expected = here["learner"].predict(pictures)
    np.testing.assert_array_equal(here["learner"].predict(pictures[:, 0]), expected)
    assert len(data.DataLoader((pictures, [0, 1, 0, 1]), 3)) == 2


def test_parts_of_a_network_are_no_attributes() -> None:
    """The most usual line of transfer learning in PyTorch is refused rather than without effect."""
    model = sasuka.create_model("resnet18", num_classes=3)
    for name in ("fc", "layer4", "relu"):
        with pytest.raises(AttributeError, match=rf"no attribute '{name}'; it is a part .* model.features\(pictures, '{name}'\)"):
            getattr(model, name)
        with pytest.raises(AttributeError, match=rf"'{name}' is a part .* model.replace_head\(classes\)"):
            setattr(model, name, nn.Linear(512, 5))
    model.label = "mine"
    assert model.label == "mine" and model.train().training
    model.close()
    with pytest.raises(AttributeError, match="'fc'$"):
        model.fc  # noqa: B018


HINTS = {hint for _, _, hint in CASES + NAMED}


@pytest.mark.parametrize("hint", sorted(HINTS))
def test_what_a_hint_names_is_there(here: dict[str, Any], hint: str) -> None:
    """Each dotted name, and each module of sasuka.nn that is called by its own."""
    for path in re.findall(r"(?:sasuka|model|learner|trainer)(?:\.[A-Za-z_]\w*)+", hint):
        found(here, path)
    for name in re.findall(r"(?<![\w.])([A-Z]\w+)\(", hint):
        getattr(nn, name)


def test_other_names_fail_as_ever(here: dict[str, Any]) -> None:
    for owner in TABLES:
        with pytest.raises(AttributeError, match="has no attribute 'nowhere'$"):
            found(here, owner).nowhere  # noqa: B018
    assert not hasattr(here["model"], "__array__") and not hasattr(sasuka, "__wrapped__")
    assert copy.deepcopy(here["learner"].history) == here["learner"].history
    assert pickle.loads(pickle.dumps(here["learner"].history)) == here["learner"].history
