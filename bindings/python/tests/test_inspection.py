"""What a model tells of itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from conftest import build
from hypothesis import given
from hypothesis import strategies as st

import sasuka
from sasuka.inspection import matches


def test_parameters_by_name(model: sasuka.Model) -> None:
    named = dict(model.named_parameters())
    state = model.state_dict()
    assert list(named) == [name for name in state if "running" not in name and "num_batches" not in name]
    for name, array in named.items():
        np.testing.assert_array_equal(array, state[name])


def test_models_say_what_they_are() -> None:
    model = sasuka.create_model("lenet5")
    assert repr(model) == "Model(input_shape=(1, 32, 32), 61,706 parameters)"
    model.close()
    assert repr(model) == "Model(closed)"


def test_modules_are_groups_and_layers() -> None:
    model = sasuka.create_model("resnet18")
    modules = dict(model.named_modules())
    names = list(modules)
    assert names[0] == "" and names.index("layer1") < names.index("layer1.0") < names.index("layer1.0.conv1")
    assert modules[""].parameters == 11_689_512 == sum(array.size for _, array in model.named_parameters())
    # torchvision's: two blocks of two convolutions 64 x 64 x 3 x 3, each with a BatchNorm of 64.
    assert modules["layer1"].parameters == 2 * 2 * (64 * 64 * 9 + 2 * 64)
    assert modules["layer1"].kind == "module" and modules["conv1"].kind == "convolution"
    assert modules["layer1.0.relu"].kind == "relu" and len(modules["layer1.0.relu"].layers) == 2
    assert modules["layer2"].output_shape == (1, 128, 28, 28)
    small = dict(model.named_modules((1, 3, 64, 64)))
    assert small["layer2"].output_shape == (1, 128, 8, 8) and small[""].multiply_adds < modules[""].multiply_adds
    assert model.input_shape == (3, 224, 224)


class Table(HTMLParser):
    """Cells of a table, and whether all tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def test_notebooks_show_the_table() -> None:
    graph = sasuka.Graph((3, 8, 8))
    x = graph.max_pool2d(graph.conv2d(graph.input, "a<b", 4, 3, stride=2, padding=(1, 0, 0, 0)), 2, name="pool")
    table = Table()
    table.feed(graph.model(x)._repr_html_())
    assert table.open == []
    assert table.rows[1] == ["a<b", "convolution", "3 x 3, stride 2, padding 1, 0, 0, 0", "4 x 4 x 3", "112", "1,296"]
    assert table.rows[2][:4] == ["pool", "max pool", "2 x 2, stride 2", "4 x 2 x 1"]
    assert table.rows[-1][:2] == ["total", "112"]


def test_the_drawing_has_every_layer_and_every_tensor(model: sasuka.Model) -> None:
    layers = [layer.name for layer in model.layers()]
    dot = model.to_dot()
    labels = dict(re.findall(r'^ +n(\d+) \[label="([^"\\]*)', dot, flags=re.M))
    assert [labels[str(number)] for number in range(len(layers))] == layers
    arrows = [(a, b) for a, b in re.findall(r"(\w+) -> (\w+)", dot)]
    place = {name: f"n{number}" for number, name in enumerate(layers)}
    assert ("input", place["conv1"]) in arrows and (place["conv1"], place["bn1"]) in arrows
    add = next(name for name, layer in zip(layers, model.layers()) if layer.kind == "add")
    assert sorted(a for a, b in arrows if b == place[add]) == sorted([place["bn2"], place[layers[2]]])
    assert len(arrows) == len(layers) + 1


def test_drawings_frame_modules() -> None:
    dot = sasuka.create_model("resnet18").to_dot(name='my "net"')
    assert dot.startswith('digraph "my \\"net\\"" {') and dot.count("{") == dot.count("}")
    assert 'subgraph "cluster_layer1.0" {' in dot and '[label=" 64 x 56 x 56"]' in dot


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "shufflenet_v2_x1_0", "mobilenet_v3_small"])
def test_every_layer_hangs_on_what_came_before(name: str) -> None:
    model = sasuka.create_model(name)
    connections, count = model.connections(), len(model.layers())
    assert all(-1 <= source < target < count for source, target in connections)
    assert {target for _, target in connections} == set(range(count))


def test_calls_in_training_mode_normalise_by_the_batch(model: sasuka.Model, pictures: np.ndarray) -> None:
    before = model.state_dict()
    expected = model.eval()(pictures)
    assert model.train() is model and model.training
    trained = model(pictures)
    after = model.state_dict()
    changed = {name for name, array in after.items() if (array != before[name]).any()}
    gathered = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"{norm}.{what}" for norm in ("bn1", "bn2") for what in gathered}
    mean = model.extract_features(pictures, ["conv1"])["conv1"].mean(axis=(0, 2, 3))
    np.testing.assert_allclose(after["bn1.running_mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)
    # The batch's statistics do not depend on the running ones, nor do results that are normalised by them.
    np.testing.assert_allclose(model(pictures), trained, rtol=1e-6)
    assert model.state_dict()["bn1.num_batches_tracked"] == 2
    assert np.abs(model.eval()(pictures) - expected).max() > 1e-3 and not model.training


def test_calls_in_training_mode_drop_anew(pictures: np.ndarray) -> None:
    with build(dropout=0.5) as model:
        model.train()
        first, second = model(pictures), model(pictures)
        assert (first != second).any()
        out = np.empty_like(first)
        assert model(pictures, out=out) is out and (out != second).any()


def test_what_is_frozen_stays(pictures: np.ndarray, labels: np.ndarray) -> None:
    model = build()
    before = model.state_dict()
    assert model.freeze().unfreeze("fc.*") is model
    assert model.frozen() == [name for name, _ in model.named_parameters() if not name.startswith("fc")]
    sasuka.Trainer(model, "adam", 0.01).step(pictures, labels)
    after = model.state_dict()
    for name, array in model.named_parameters():
        assert np.array_equal(array, before[name]) == (name in model.frozen()), name
    model.unfreeze()
    assert model.frozen() == []
    sasuka.Trainer(model, "adam", 0.01).step(pictures, labels)
    assert (model.state_dict()["conv1.weight"] != after["conv1.weight"]).any()
    with pytest.raises(sasuka.NotFoundError, match='"head" is the name of no learnt parameter; the first ones are conv1.weight'):
        model.freeze("head")


@given(st.text("ab.*?[", max_size=6), st.text("ab.[", max_size=6))
def test_patterns_are_the_engine_s(pattern: str, name: str) -> None:
    """Against the definition, letter by letter."""

    def fits(p: str, n: str) -> bool:
        if not p:
            return not n
        if p[0] == "*":
            return fits(p[1:], n) or (bool(n) and fits(p, n[1:]))
        return bool(n) and p[0] in ("?", n[0]) and fits(p[1:], n[1:])

    assert matches(pattern, name) == fits(pattern, name)
