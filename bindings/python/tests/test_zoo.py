from __future__ import annotations

import numpy as np
import pytest

import sasuka
from sasuka.zoo import FAMILIES


def test_features_are_what_modules_compute() -> None:
    graph = sasuka.Graph((3, 8, 8))
    x = graph.activation(graph.conv2d(graph.input, "block.conv", 4, 3), "relu", name="block.relu")
    model = graph.model(graph.linear(graph.flatten(x), "fc", 2))
    pictures = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    features = model.extract_features(pictures, ["block", "block.conv"])
    assert features["block.conv"].shape == (2, 4, 6, 6)
    assert (features["block.conv"] < 0).any()
    np.testing.assert_array_equal(features["block"], np.maximum(features["block.conv"], 0))
    state = model.state_dict()
    logits = features["block"].reshape(2, -1) @ state["fc.weight"].T + state["fc.bias"]
    np.testing.assert_allclose(model(pictures), logits, rtol=1e-4, atol=1e-5)


def test_features_are_named_in_errors() -> None:
    model = sasuka.create_model("cifar_resnet20")
    with pytest.raises(sasuka.NotFoundError, match='"layer9"'):
        sasuka.Session(model, (1, 3, 32, 32), features=["layer9"])
    session = sasuka.Session(model, (1, 3, 32, 32), features=["layer1"])
    with pytest.raises(sasuka.WrongStateError, match="not run yet"):
        session.feature("layer1")
    with pytest.raises(sasuka.NotFoundError, match='"layer2" is none'):
        session.feature("layer2")


def test_choices_are_torchvisions() -> None:
    assert not any(p.name.startswith("aux") for p in sasuka.create_model("googlenet", aux_logits=False).parameters())
    narrow = sasuka.create_model("mobilenet_v2", width_mult=0.5)
    assert narrow.state_dict()["features.0.0.weight"].shape == (16, 3, 3, 3)
    weights = sasuka.create_model("resnet18", zero_init_residual=True).state_dict()
    assert not weights["layer1.0.bn2.weight"].any() and weights["layer1.0.bn1.weight"].all()
    with pytest.raises(sasuka.InvalidArgumentError, match="resnet18 has no option width_mult"):
        sasuka.create_model("resnet18", width_mult=0.5)
    with pytest.raises(sasuka.InvalidArgumentError, match="smallest square picture.* 63 x 63"):
        sasuka.create_model("alexnet").output_shape((1, 3, 40, 40))


def test_every_network_is_of_one_family() -> None:
    for name in sasuka.architectures():
        assert len([module for module in FAMILIES if name in sasuka.list_models(module=module)]) == 1, name
    assert all(sasuka.list_models(module=module) for module in FAMILIES)


def test_models_are_listed_by_pattern() -> None:
    assert sasuka.list_models() == sorted(sasuka.architectures())
    assert sasuka.list_models("resnet18") == ["resnet18"]
    assert sasuka.list_models(["vgg1?", "vgg1?_bn"], exclude="*_bn") == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert sasuka.list_models("wide*", module="resnet") == ["wide_resnet101_2", "wide_resnet50_2"]
    assert sasuka.list_models("resnet1000") == []
    with pytest.raises(ValueError, match="module 'transformer'; one of 'alexnet'"):
        sasuka.list_models(module="transformer")


def shapes(name: str, **choices: object) -> dict[str, tuple[int, ...]]:
    return {p.name: p.shape for p in sasuka.create_model(name, num_classes=10, **choices).parameters()}


def test_strides_are_replaced_by_dilation() -> None:
    names = ["layer2", "layer3", "layer4"]
    published = sasuka.create_model("resnet50", num_classes=10)
    dilated = sasuka.create_model("resnet50", num_classes=10, replace_stride_with_dilation=(False, True, True))
    assert dilated.parameters() == published.parameters()
    pictures = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    assert [array.shape[2] for array in published.extract_features(pictures, names).values()] == [8, 4, 2]
    assert [array.shape[2] for array in dilated.extract_features(pictures, names).values()] == [8, 8, 8]
    with pytest.raises(sasuka.InvalidArgumentError, match="resnet18 has no option replace_stride_with_dilation"):
        sasuka.create_model("resnet18", replace_stride_with_dilation=(False, False, True))
    with pytest.raises(ValueError, match="three bools"):
        sasuka.create_model("resnet50", replace_stride_with_dilation=(True,))


def test_groups_and_their_width_are_a_resnexts() -> None:
    assert shapes("resnet50", groups=32, width_per_group=4) == shapes("resnext50_32x4d")
    assert shapes("resnet50", width_per_group=128) == shapes("wide_resnet50_2")
    with pytest.raises(sasuka.InvalidArgumentError, match="groups is 0; 1 to 65536"):
        sasuka.create_model("resnet50", groups=0)


def test_networks_go_without_normalisation() -> None:
    with_norms, without = shapes("resnet18"), shapes("resnet18", norm_layer="none")
    assert list(without) == [name for name in with_norms if ".bn" not in name and not name.startswith("bn")
                             and ".downsample.1" not in name]
    with pytest.raises(sasuka.InvalidArgumentError, match="densenet121 has no option norm_layer"):
        sasuka.create_model("densenet121", norm_layer="none")
    with pytest.raises(ValueError, match="norm_layer 'layer_norm'"):
        sasuka.create_model("resnet18", norm_layer="layer_norm")


@pytest.mark.parametrize("name, groups", [("resnet18", 32), ("resnext50_32x4d", 16), ("mobilenet_v2", 8)])
def test_groups_of_channels_are_normalised(name: str, groups: int) -> None:
    """torchvision's ``norm_layer=functools.partial(nn.GroupNorm, groups)`` has the parameters without the statistics."""
    published = shapes(name)
    grouped = shapes(name, norm_layer="group_norm", norm_groups=groups)
    gathered = ("running_mean", "running_var", "num_batches_tracked")
    assert list(grouped.items()) == [item for item in published.items() if not item[0].endswith(gathered)]
    model = sasuka.create_model(name, num_classes=2, norm_layer="group_norm", norm_groups=groups)
    x = np.random.default_rng(0).standard_normal((3, 3, 64, 64), dtype=np.float32)
    # Each picture by itself, in training too.
    np.testing.assert_allclose(model(x)[1:2], model(x[1:2]), atol=1e-5 * np.abs(model(x)).max())


def test_groups_must_divide_the_channels() -> None:
    assert shapes("resnet18", norm_layer="group_norm") == shapes("resnet18", norm_layer="group_norm", norm_groups=32)
    with pytest.raises(sasuka.InvalidArgumentError, match='group_norm "features.1.conv.2": 16 channels in 32 groups'):
        sasuka.create_model("mobilenet_v2", norm_layer="group_norm")
    with pytest.raises(sasuka.InvalidArgumentError, match='group_norm "bn1": 64 channels in 0 groups'):
        sasuka.create_model("resnet18", norm_layer="group_norm", norm_groups=0)
    with pytest.raises(sasuka.InvalidArgumentError, match="norm_groups is 8 without SASUKA_NORM_GROUP"):
        sasuka.create_model("resnet18", norm_groups=8)


def test_the_tail_of_mobilenet_v3_is_reduced() -> None:
    reduced = shapes("mobilenet_v3_large", reduced_tail=True)
    assert reduced["features.16.0.weight"] == (480, 80, 1, 1) and reduced["classifier.0.weight"] == (640, 480)
    assert shapes("mobilenet_v3_large", dilated=True) == shapes("mobilenet_v3_large")
    dilated = sasuka.create_model("mobilenet_v3_small", num_classes=2, dilated=True)
    pictures = np.zeros((1, 3, 64, 64), dtype=np.float32)
    assert dilated.extract_features(pictures, ["features.12"])["features.12"].shape[2:] == (4, 4)
