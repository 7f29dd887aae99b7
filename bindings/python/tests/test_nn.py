"""Networks as lists of layers: the same names and numbers as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sasuka
from sasuka import nn


def residual_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same", bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Residual(
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
            nn.LazyBatchNorm2d(),
            shortcut=nn.Conv2d(8, 12, 1, stride=2),
            activation=nn.ReLU(),
        ),
        nn.Concat({"wide": nn.LazyConv2d(4, 3, padding=1), "narrow": nn.Sequential(nn.Conv2d(12, 4, 1), nn.SiLU())}),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.LazyLinear(5),
    )


def test_names_are_pytorch_s() -> None:
    model = residual_network().model((3, 8, 8), seed=1)
    assert [name for name, _, kind in model.parameters() if kind == "weight"] == [
        "0.weight",
        "1.weight",
        "1.bias",
        "3.body.0.weight",
        "3.body.0.bias",
        "3.body.1.weight",
        "3.body.1.bias",
        "3.shortcut.weight",
        "3.shortcut.bias",
        "4.wide.weight",
        "4.wide.bias",
        "4.narrow.0.weight",
        "4.narrow.0.bias",
        "8.weight",
        "8.bias",
    ]


def test_it_computes_what_the_graph_s_methods_do() -> None:
    graph = sasuka.Graph((3, 8, 8))
    x = graph.activation(graph.batch_norm2d(graph.conv2d(graph.input, "0", 8, 3, padding="same", bias=False), "1"), "relu")
    body = graph.batch_norm2d(graph.conv2d(x, "3.body.0", 12, 3, stride=2, padding=1), "3.body.1")
    x = graph.activation(body + graph.conv2d(x, "3.shortcut", 12, 1, stride=2), "relu")
    narrow = graph.activation(graph.conv2d(x, "4.narrow.0", 4, 1), "silu")
    x = graph.concatenate([graph.conv2d(x, "4.wide", 4, 3, padding=1), narrow])
    x = graph.linear(graph.flatten(graph.adaptive_avg_pool2d(x, 1)), "8", 5)
    by_hand, listed = graph.model(x, seed=3), residual_network().model((3, 8, 8), seed=4)
    listed.load_state_dict(by_hand.state_dict())
    pictures = np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)
    np.testing.assert_array_equal(listed(pictures), by_hand(pictures))


LAYERS = [
    "ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1)",
    "MaxPool2d(3, stride=2, padding=1, ceil_mode=True)",
    "AvgPool2d((2, 3), stride=1, padding=1, count_include_pad=False)",
    "ReLU6()",
    "LeakyReLU(0.2)",
    "Sigmoid()",
    "Tanh()",
    "SiLU()",
    "Hardswish()",
    "Hardsigmoid()",
    "Softmax(dim=1)",
    "LogSoftmax(dim=-1)",
    "Dropout2d(0.5)",
    "AlphaDropout(0.5)",
    "GroupNorm(1, 3)",
    "GroupNorm(3, 3, 0.1, affine=False)",
    "LocalResponseNorm(3, 0.1, 0.5, 2.0)",
    "Flatten()",
    "Upsample(scale_factor=2)",
    "Upsample(size=(9, 5), mode='bilinear')",
    "ChannelShuffle(3)",
    "ZeroPad2d((1, 2, 3, 0))",
    "ReflectionPad2d((1, 2, 3, 0))",
    "ReplicationPad2d(2)",
    "Identity()",
]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_is_pytorch_s(layer: str) -> None:
    """The same expression, read by both libraries."""
    torch = pytest.importorskip("torch")
    pictures = np.random.default_rng(0).standard_normal((2, 3, 7, 8), dtype=np.float32)
    theirs = torch.nn.Sequential(eval(f"nn.{layer}", {"nn": torch.nn})).eval()
    ours = nn.Sequential(nn.Identity(), eval(f"nn.{layer}", {"nn": nn})).model((3, 7, 8))
    ours.load_state_dict({name.replace("0.", "1.", 1): value for name, value in theirs.state_dict().items()})
    with torch.no_grad():
        expected = theirs(torch.from_numpy(pictures)).numpy()
    # A result is a sum of at most 27 products of numbers below 4.
    np.testing.assert_allclose(ours(pictures), expected, rtol=1e-5, atol=27 * 4 * 2**-23)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_runs_alone(layer: str) -> None:
    module = eval(f"nn.{layer}", {"nn": nn})
    model = nn.Sequential(nn.Conv2d(3, 3, 1), module).model((3, 7, 8))
    assert np.isfinite(model(np.ones((1, 3, 7, 8), dtype=np.float32))).all()


@pytest.mark.parametrize(("padding", "output_padding", "stride"), [(0, 0, 1), (1, 0, 2), (0, 2, 3), (2, 1, 2)])
def test_a_map_from_one_pixel_has_a_tap_in_each_pixel(padding: int, output_padding: int, stride: int) -> None:
    # Of so many weights that taps are taken apart; the normalisation behind it is folded into them.
    layer = nn.ConvTranspose2d(130, 136, 5, stride=stride, padding=padding, output_padding=output_padding)
    model = nn.Sequential(layer, nn.BatchNorm2d(136), nn.LeakyReLU(0.2)).model((130, 1, 1), seed=3)
    state = model.state_dict()
    random = np.random.default_rng(4)
    for name in ("1.running_mean", "1.running_var", "1.weight", "1.bias"):
        state[name] = random.uniform(0.5, 1.5, state[name].shape).astype(np.float32)
    model.load_state_dict(state)
    x = random.standard_normal((3, 130, 1, 1), np.float32)
    side = 5 - 2 * padding + output_padding
    expected = np.zeros((3, 136, side, side))
    taps = np.einsum("nc,cohw->nohw", x[:, :, 0, 0].astype(np.float64), state["0.weight"].astype(np.float64))
    inside = taps[:, :, padding:, padding:][:, :, :side, :side]
    expected[:, :, : inside.shape[2], : inside.shape[3]] = inside
    expected += state["0.bias"].reshape(-1, 1, 1)
    mean, variance, weight, bias = (
        state[f"1.{name}"].reshape(-1, 1, 1).astype(np.float64)
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    expected = (expected - mean) / np.sqrt(variance + 1e-5) * weight + bias
    expected = np.where(expected > 0, expected, 0.2 * expected)
    for threads in (1, 2, 3):
        np.testing.assert_allclose(model.session(x.shape, threads=threads)(x), expected, atol=3e-6, rtol=3e-6)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match=r"1: in_channels is 8; what comes in has shape \[1, 4, 6, 6\]"):
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(8, 4, 3)).model((3, 8, 8))
    with pytest.raises(sasuka.InvalidArgumentError, match="1: in_features is 10"):
        nn.Sequential(nn.Flatten(), nn.Linear(10, 2)).model((3, 2, 2))
    with pytest.raises(TypeError, match="part 1 is a int"):
        wrong: Any = 3
        nn.Sequential(nn.ReLU(), wrong)


def test_functions_are_layers_and_networks_show_themselves() -> None:
    network = nn.Sequential(nn.Lambda(lambda graph, x: graph.mean(x, axes=(2, 3))), nn.Linear(3, 2))
    model = network.model((3, 4, 4))
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4), dtype=np.float32)
    state = model.state_dict()
    expected = x.mean(axis=(2, 3)) @ state["1.weight"].T + state["1.bias"]
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)
    assert repr(residual_network()).splitlines()[:3] == [
        "Sequential(",
        "  (0): Conv2d(3, 8, kernel_size=3, stride=1, padding='same')",
        "  (1): BatchNorm2d(8)",
    ]


def with_auxiliary_head(classes: int = 5, loss_weight: float = 0.3) -> nn.Sequential:
    head = nn.Auxiliary(nn.Flatten(), nn.LazyLinear(classes), loss_weight=loss_weight)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), head, nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))


def test_an_auxiliary_head_counts_in_training_and_is_not_computed_in_evaluation() -> None:
    random = np.random.default_rng(0)
    x, labels = random.standard_normal((6, 3, 8, 8), dtype=np.float32), np.arange(6) % 5
    whole = with_auxiliary_head().model((3, 8, 8), seed=1)
    state = whole.state_dict()
    # The same network with one head only; names of its layers, and what they are in the whole.
    trunk = nn.Conv2d(3, 4, 3), nn.ReLU()
    main = nn.Sequential(*trunk, nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    side = nn.Sequential(*trunk, nn.Flatten(), nn.LazyLinear(5))
    losses, gradients = [], []
    for module, names in [(main, {"0": "0", "2": "3", "5": "6"}), (side, {"0": "0", "3": "2.1"})]:
        alone = module.model((3, 8, 8))
        parts = [(f"{own}.{part}", f"{theirs}.{part}") for own, theirs in names.items() for part in ("weight", "bias")]
        alone.load_state_dict({own: state[theirs] for own, theirs in parts})
        with sasuka.Trainer(alone) as trainer:
            losses.append(trainer.forward_backward(x, labels))
            gradients.append({theirs: trainer.gradients()[own].copy() for own, theirs in parts})
        if module is main:
            np.testing.assert_array_equal(whole(x), alone(x))
    with sasuka.Trainer(whole) as trainer:
        assert trainer.forward_backward(x, labels) == pytest.approx(losses[0] + 0.3 * losses[1], rel=1e-6)
        for name, found in trainer.gradients().items():
            expected = gradients[0].get(name, np.float32(0)) + np.float32(0.3) * gradients[1].get(name, np.float32(0))
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)
        # Evaluation counts the network's own loss alone.
        assert trainer.evaluate(x, labels).loss == pytest.approx(losses[0], rel=1e-6)


def test_a_new_head_is_new_for_auxiliary_classifiers_too() -> None:
    changed = with_auxiliary_head().model((3, 8, 8)).replace_head(2)
    shapes = {name: shape for name, shape, _ in changed.parameters()}
    assert shapes["2.1.weight"][0] == shapes["6.weight"][0] == 2


def test_auxiliary_heads_that_make_no_sense_are_named() -> None:
    for loss_weight in (0.0, -1.0, float("nan"), float("inf"), 1e300):
        with pytest.raises(sasuka.InvalidArgumentError, match="loss_weight is .*above 0"):
            with_auxiliary_head(loss_weight=loss_weight).model((3, 8, 8))
    x, labels = np.zeros((1, 3, 8, 8), dtype=np.float32), np.zeros(1, dtype=np.int64)
    with sasuka.Trainer(with_auxiliary_head(classes=4).model((3, 8, 8))) as trainer:
        with pytest.raises(sasuka.InvalidArgumentError, match=r"auxiliary head predicts \[1, 4\].*\[1, 5\]"):
            trainer.forward_backward(x, labels)
    graph = sasuka.Graph((3, 8, 8))
    with pytest.raises(sasuka.InvalidArgumentError, match="not of this graph"):
        graph.add_auxiliary(sasuka.Value(graph, 99))


@pytest.mark.parametrize("features", [5, 50, 300, 2100])
def test_a_linear_layer_of_any_batch(features: int) -> None:
    """Few rows and many, short and long ones are multiplied by kernels of their own."""
    model = nn.Sequential(nn.Linear(features, 21)).model((features,), seed=3)
    state = {name: value.astype(np.float64) for name, value in model.state_dict().items()}
    for batch in range(1, 11):
        x = np.random.default_rng(batch).standard_normal((batch, features), dtype=np.float32)
        expected = x @ state["0.weight"].T + state["0.bias"]
        assert np.abs(model.session(x.shape)(x) - expected).max() <= 2e-6 * np.abs(expected).max()
        one, two = model.session(x.shape, threads=1)(x), model.session(x.shape, threads=2)(x)
        assert np.array_equal(one, two)
