from __future__ import annotations

import numpy as np
import pytest
from conftest import build

import sasuka


def steps(trainer: sasuka.Trainer, x: np.ndarray, labels: np.ndarray, count: int = 3) -> list[float]:
    return [trainer.step(x, labels) for _ in range(count)]


def test_only_the_head_is_trained(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1, momentum=0.9, weight_decay=0.01)
    trainer.freeze(evaluation=True)
    trainer.unfreeze("fc.*")
    before = model.state_dict()
    losses = steps(trainer, pictures, labels)
    assert losses[-1] < losses[0]
    changed = {name for name, array in model.state_dict().items() if (array != before[name]).any()}
    assert changed == {"fc.weight", "fc.bias"}


def test_frozen_batch_norm_gathers_statistics_unless_in_evaluation_mode(
    model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray
) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    trainer.freeze("bn*")
    before = model.state_dict()
    trainer.step(pictures, labels)
    after = model.state_dict()
    np.testing.assert_array_equal(after["bn1.weight"], before["bn1.weight"])
    assert (after["bn1.running_mean"] != before["bn1.running_mean"]).all() and after["bn1.num_batches_tracked"] == 1
    trainer.set_evaluation("bn1")
    trainer.step(pictures, labels)
    np.testing.assert_array_equal(model.state_dict()["bn1.running_mean"], after["bn1.running_mean"])
    assert model.state_dict()["bn2.num_batches_tracked"] == 2


def test_early_layers_have_smaller_rates_and_the_trainers_weight_decay(
    pictures: np.ndarray, labels: np.ndarray
) -> None:
    model = build()
    trainer = sasuka.Trainer(model, "sgd", 0.5, weight_decay=0.25)
    trainer.add_group("conv1.*", lr_factor=0.125)
    trainer.add_group("fc.*", lr_factor=0.5, weight_decay=0.0)
    before = model.state_dict()
    trainer.step(pictures, labels)
    gradients, after = trainer.gradients(), model.state_dict()
    for name, rate, decay in [("conv1.weight", 0.0625, 0.25), ("bn1.weight", 0.5, 0.25), ("fc.weight", 0.25, 0.0)]:
        expected = before[name] - rate * (gradients[name] + decay * before[name])
        np.testing.assert_allclose(after[name], expected, rtol=1e-6, atol=1e-7)
    with pytest.raises(sasuka.InvalidArgumentError, match="weight decay -2"):
        trainer.add_group("*", weight_decay=-2.0)


@pytest.mark.parametrize("name", ["cifar_resnet20", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_features_computed_once_train_the_head_as_the_whole_network_does(name: str) -> None:
    places = {"cifar_resnet20": ("flatten", "fc"), "squeezenet1_1": ("features", "classifier.1")}
    module, head = places.get(name, ("conv5", "fc"))
    x = np.random.default_rng(3).standard_normal((6, 3, 32, 32), dtype=np.float32)
    labels = np.array([0, 1, 2, 3, 3, 1])
    choices = {"dropout": 0.0} if name == "squeezenet1_1" else {}
    whole, split = (sasuka.create_model(name, num_classes=4, seed=2, **choices) for _ in range(2))
    trainer = sasuka.Trainer(whole, "adam", 0.01)
    trainer.freeze(evaluation=True)
    trainer.unfreeze(f"{head}.*")
    expected = steps(trainer, x, labels)
    cached = split.features(x, module, batch_size=6)
    behind = sasuka.Trainer(split, "adam", 0.01, from_module=module)
    assert steps(behind, cached, labels) == expected
    for parameter, array in whole.state_dict().items():
        np.testing.assert_array_equal(split.state_dict()[parameter], array)
    assert behind.evaluate(cached, labels) == trainer.evaluate(x, labels)


def test_features_come_batch_by_batch(model: sasuka.Model, pictures: np.ndarray) -> None:
    whole = model.extract_features(pictures, ["bn2"])["bn2"]
    # How many pictures are computed at once may change the order of sums.
    np.testing.assert_allclose(model.features(pictures, "bn2", batch_size=4), whole, rtol=1e-5, atol=1e-5)
    with model.session(from_module="bn1", to_module="bn2") as part:
        inputs = model.extract_features(pictures, ["bn1"])["bn1"]
        np.testing.assert_allclose(part(inputs), whole, rtol=1e-5, atol=1e-5)


def test_a_module_that_is_not_passed_by_every_way_is_refused(model: sasuka.Model, pictures: np.ndarray) -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match='cannot be split at "conv2": "add.*" reads something else'):
        sasuka.Trainer(model, from_module="conv2")
    with pytest.raises(sasuka.InvalidArgumentError, match="no layer behind it leads to the output"):
        model.session(pictures.shape, from_module="fc")
    with pytest.raises(sasuka.NotFoundError, match='"layer9"'):
        model.features(pictures, "layer9")


def test_auxiliary_heads_count_in_training_only() -> None:
    model = sasuka.create_model("googlenet", num_classes=3, seed=1, dropout=0.0, dropout_aux=0.0)
    # Heads whose last layers are 0 give every class the same chance.
    zeros = {name: np.zeros_like(a) for name, a in model.state_dict().items() if name.startswith("aux") and ".fc2." in name}
    model.load_state_dict(zeros, strict=False)
    alone = sasuka.create_model("googlenet", num_classes=3, aux_logits=False, dropout=0.0)
    alone.load_state_dict({p.name: model.state_dict()[p.name] for p in alone.parameters()})
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64), dtype=np.float32)
    both, without = sasuka.Trainer(model, "sgd", 0.1), sasuka.Trainer(alone, "sgd", 0.1)
    assert both.evaluate(x, [0, 2]) == without.evaluate(x, [0, 2])
    assert both.step(x, [0, 2]) == pytest.approx(without.step(x, [0, 2]) + 2 * 0.3 * np.log(3), rel=1e-5)
    assert both.gradient_norm("aux1.*") > 0 and both.gradient_norm("aux2.*") > 0


def test_norms_are_those_of_the_gradients(model: sasuka.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    trainer = sasuka.Trainer(model, "sgd", 0.1)
    trainer.freeze("conv1.*")
    trainer.step(pictures, labels)
    gradients, norms = trainer.gradients(), trainer.gradient_norms()
    assert list(norms) == list(gradients) and norms["conv1.weight"] == 0 < norms["conv2.weight"]
    for name, gradient in gradients.items():
        assert norms[name] == pytest.approx(np.linalg.norm(gradient.astype(np.float64)), rel=1e-5)
    layers = trainer.gradient_norms(by="layer")
    assert list(layers) == ["conv1", "bn1", "conv2", "bn2", "fc"]
    assert layers["fc"] == pytest.approx(np.hypot(norms["fc.weight"], norms["fc.bias"]))
    assert trainer.gradient_norm() == pytest.approx(np.sqrt(sum(norm**2 for norm in norms.values())))
    with pytest.raises(sasuka.NotFoundError, match="layer9"):
        trainer.gradient_norm("layer9.*")


def test_frozen_layers_need_no_memory_for_activations() -> None:
    x, labels = np.zeros((8, 3, 64, 64), dtype=np.float32), np.zeros(8, dtype=np.int64)
    model = sasuka.create_model("resnet18", num_classes=4)
    trainer = sasuka.Trainer(model, "sgd", 0.1, momentum=0.9)
    trainer.freeze(evaluation=True)
    trainer.unfreeze("fc.*")
    trainer.step(x, labels)
    with model.session(x.shape) as session:
        head = 4 * 2 * (4 * 512 + 4)
        # The target, the loss, the head's own gradients and packed matrices besides.
        assert trainer.memory < session.memory + head + 200_000
    trainer.unfreeze()
    trainer.step(x, labels)
    learnt = sum(int(np.prod(shape)) for _, shape, kind in model.parameters() if kind == "weight")
    assert trainer.memory > 2 * 4 * learnt
