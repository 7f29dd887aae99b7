"""Names that other libraries have end in an error that says what to call here."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest

import sasuka
from sasuka import _elsewhere, nn


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """What names in the hints stand for."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).model((1, 2, 2))
    data = np.zeros((4, 1, 2, 2), dtype=np.float32), [0, 1, 0, 1]
    learner = sasuka.Learner(model, data, valid=data, progress=False)
    learner.fit(1)
    return {"sasuka": sasuka, "model": model, "learner": learner, "trainer": learner.trainer}


TABLES = {
    "model": _elsewhere.MODEL,
    "learner": _elsewhere.LEARNER,
    "trainer": _elsewhere.TRAINER,
    "learner.history": _elsewhere.HISTORY,
    "sasuka": _elsewhere.PACKAGE,
    "sasuka.nn": _elsewhere.LAYERS,
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


@pytest.mark.parametrize(("name", "hint"), _elsewhere.CREATE.items())
def test_arguments_of_others_are_refused_with_what_to_do(name: str, hint: str) -> None:
    with pytest.raises(TypeError, match=rf"create_model\(\) takes no '{name}'; {re.escape(hint)}$"):
        sasuka.create_model("lenet5", **{name: 1})
    assert name not in inspect.signature(sasuka.create_model).parameters
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        sasuka.create_model("lenet5", nonsense=1)  # type: ignore[call-arg]


HINTS = {hint for _, _, hint in CASES} | set(_elsewhere.CREATE.values())


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
