from __future__ import annotations

import numpy as np
import pytest

import sasuka


def smooth() -> sasuka.Model:
    """A residual network without kinks, so that finite differences tell its gradients."""
    graph = sasuka.Graph((2, 9, 8))
    x = graph.batch_norm2d(graph.conv2d(graph.input, "stem.conv", 6, 3, padding=1), "stem.bn")
    x = graph.activation(x, "silu", name="stem.act")
    y = graph.activation(graph.conv2d(x, "block.conv1", 6, 3, padding=1), "tanh", name="block.act")
    x = graph.add(x, graph.conv2d(y, "block.conv2", 6, 3, padding=1), name="block.sum")
    x = graph.flatten(graph.avg_pool2d(graph.dropout(x, 0.5), 2))
    model = graph.model(graph.linear(x, "fc", 4), seed=5)
    rng = np.random.default_rng(2)
    statistics = {"stem.bn.running_mean": rng.uniform(-0.1, 0.1, 6), "stem.bn.running_var": rng.uniform(0.8, 1.2, 6)}
    model.load_state_dict(statistics, strict=False)
    return model


@pytest.mark.parametrize("module", ["input", "stem", "block"])
def test_gradients_are_slopes(module: str) -> None:
    model, rng = smooth(), np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 9, 8)).astype(np.float32)
    seed = rng.standard_normal((3, 4)).astype(np.float32)
    gradient = model.gradients(x, [module], seed=seed)[module]
    start = x if module == "input" else model.extract_features(x, [module])[module]
    behind = model if module == "input" else model.session(from_module=module)
    for _ in range(8):
        direction = rng.standard_normal(start.shape).astype(np.float32)
        direction /= np.linalg.norm(direction)
        step = np.float32(0.03)
        above, below = (np.sum(behind(start + sign * step * direction) * seed, dtype=np.float64) for sign in (1, -1))
        slope = (above - below) / (2 * float(step))
        # Differences of sums of 12 numbers of size 1 in float32, over 0.06; the cubic term is step^2 of the slope.
        assert np.sum(gradient * direction) == pytest.approx(slope, abs=2e-4, rel=1e-3)


def test_each_picture_has_its_class() -> None:
    model = smooth()
    x = np.random.default_rng(1).standard_normal((3, 2, 9, 8)).astype(np.float32)
    gradients = [model.gradients(x, ["stem"], target)["stem"] for target in (0, 1, 2)]
    each = model.gradients(x, ["stem"], [2, 0, 1])["stem"]
    for picture, target in enumerate([2, 0, 1]):
        np.testing.assert_array_equal(each[picture], gradients[target][picture])
    predicted = model.gradients(x, ["stem"])["stem"]
    np.testing.assert_array_equal(predicted, model.gradients(x, ["stem"], model(x).argmax(axis=1))["stem"])
    with pytest.raises(ValueError, match="classes from 0 to 3"):
        model.gradients(x, ["stem"], 4)


def test_the_network_is_left_as_it_is() -> None:
    model = smooth()
    x = np.random.default_rng(1).standard_normal((3, 2, 9, 8)).astype(np.float32)
    before, state = model(x), model.state_dict()
    model.gradients(x, ["stem", "fc"], 1)
    np.testing.assert_array_equal(model(x), before)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_grad_cam_before_global_average_pooling_is_cam() -> None:
    """There the gradient of a logit is the weight of the map over its pixels (Zhou et al. 2016)."""
    model = sasuka.create_model("cifar_resnet20", num_classes=3, seed=4)
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    maps = model.extract_features(x, ["layer3"])["layer3"].astype(np.float64)
    weights = model.state_dict()["fc.weight"].astype(np.float64)
    for target in (0, 2):
        expected = np.maximum(np.einsum("nchw,c->nhw", maps, weights[target] / 64), 0)
        heat = sasuka.grad_cam(model, x, target, "layer3")
        assert heat.shape == (2, 8, 8) and heat.max() > 0
        # Sums of 64 products in float32.
        np.testing.assert_allclose(heat, expected, rtol=1e-4, atol=64 * 2**-24 * np.abs(maps).max())
    large = sasuka.grad_cam(model, x, None, "layer3", size=(32, 32))
    assert large.shape == (2, 32, 32) and large.max() <= sasuka.grad_cam(model, x, None, "layer3").max()
    with pytest.raises(ValueError, match="feature maps"):
        sasuka.grad_cam(model, x, 0, "fc")


def test_grad_cam_sees_where_the_object_is() -> None:
    """A network taught to say whether a bright square is there looks at the square."""
    rng = np.random.default_rng(0)
    graph = sasuka.Graph((1, 16, 16))
    x = graph.activation(graph.batch_norm2d(graph.conv2d(graph.input, "conv1", 8, 3, padding=1), "bn1"), "relu")
    x = graph.activation(graph.batch_norm2d(graph.conv2d(x, "conv2", 8, 3, padding=1), "bn2"), "relu", name="maps")
    model = graph.model(graph.linear(graph.flatten(graph.adaptive_avg_pool2d(x, 1)), "fc", 2), seed=1)
    pictures = rng.standard_normal((64, 1, 16, 16)).astype(np.float32) * 0.3
    places = rng.integers(0, 12, (64, 2))
    labels = np.arange(64) % 2
    for picture, (row, column) in enumerate(places):
        pictures[picture, 0, row : row + 4, column : column + 4] += labels[picture]
    trainer = sasuka.Trainer(model, "adam", 0.01)
    for _ in range(40):
        trainer.step(pictures, labels)
    assert trainer.evaluate(pictures, labels).accuracy > 0.95
    heat = sasuka.grad_cam(model, pictures, 1, "maps")
    inside = [
        heat[i, row : row + 4, column : column + 4].mean() / heat[i].mean()
        for i, (row, column) in enumerate(places)
        if labels[i] == 1
    ]
    assert np.median(inside) > 3


@pytest.mark.parametrize(
    ("name", "module"), [("resnet18", "layer4"), ("vgg11", "avgpool"), ("googlenet", "inception5b"), ("squeezenet1_1", "classifier.2")]
)
def test_grad_cam_finds_the_last_maps(name: str, module: str) -> None:
    model = sasuka.create_model(name, num_classes=5, seed=1)
    x = np.random.default_rng(0).random((2, 3, 96, 96), dtype=np.float32)
    np.testing.assert_array_equal(sasuka.grad_cam(model, x), sasuka.grad_cam(model, x, None, module))
    assert sasuka.grad_cam(model, x, 3, size=(96, 96)).shape == (2, 96, 96)


def test_grad_cam_of_a_network_without_maps() -> None:
    model = sasuka.nn.Sequential(sasuka.nn.Flatten(), sasuka.nn.Linear(12, 2)).model((3, 2, 2))
    with pytest.raises(sasuka.InvalidArgumentError, match="no module of the network computes feature maps"):
        sasuka.grad_cam(model, np.zeros((1, 3, 2, 2)))
