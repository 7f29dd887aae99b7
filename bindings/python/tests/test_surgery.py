"""Networks made from others: tables of layers, new heads, classifiers that slide, ablation, strided convolutions."""

from __future__ import annotations

import numpy as np
import pytest

import sasuka


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def settle(model: sasuka.Model, seed: int = 0) -> sasuka.Model:
    """Statistics away from 0 and 1, as a trained network has them."""
    random, state = np.random.default_rng(seed), model.state_dict()
    for name, value in state.items():
        if name.endswith("running_mean"):
            state[name] = random.uniform(-0.1, 0.1, value.shape)
        elif name.endswith("running_var"):
            state[name] = random.uniform(0.8, 1.2, value.shape)
    model.load_state_dict(state)
    return model


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    """Within what the order of float32 sums changes."""
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * max(np.abs(expected).max(), 1e-3))


@pytest.fixture(scope="module")
def vgg11() -> sasuka.Model:
    return sasuka.create_model("vgg11", seed=4, num_classes=10)


@pytest.fixture(scope="module")
def googlenet() -> sasuka.Model:
    return settle(sasuka.create_model("googlenet", seed=2, num_classes=10))


def small(padding: int = 0, pool: str = "flatten") -> sasuka.Model:
    """A network as VGG: convolutions, poolings, and a classifier of three linear layers over a map of 5 x 4."""
    graph = sasuka.Graph((3, 26, 22))
    x = graph.activation(graph.conv2d(graph.input, "features.0", 6, 3, padding=padding), "relu", name="features.1")
    x = graph.max_pool2d(x, 2, name="features.2")
    x = graph.activation(graph.conv2d(x, "features.3", 8, 3, padding=padding), "relu", name="features.4")
    x = graph.max_pool2d(x, 2, name="features.5")
    x = graph.flatten(graph.adaptive_avg_pool2d(x, (5, 4), name="avgpool") if pool == "adaptive" else x)
    x = graph.dropout(graph.activation(graph.linear(x, "classifier.0", 16), "relu"), 0.5)
    x = graph.activation(graph.linear(x, "classifier.3", 12), "relu")
    return graph.model(graph.linear(x, "classifier.6", 7), seed=3)


# ---- Tables ----


def test_tables_are_data_and_text(vgg11: sasuka.Model) -> None:
    layers = {layer.name: layer for layer in vgg11.layers()}
    assert layers["classifier.0"].parameters == 25088 * 4096 + 4096
    first, last = layers["features.0"], layers["features.20"]
    assert first.kernel == (3, 3) and first.padding == (1, 1, 1, 1) and first.output_shape == (1, 64, 224, 224)
    assert first.activation_bytes == 4 * 64 * 224 * 224 and layers["features.1"].kernel is None
    assert last.receptive_field is not None and last.receptive_field[0].step == 32
    larger = {layer.name: layer for layer in vgg11.layers((2, 3, 256, 320))}
    assert larger["features.20"].output_shape == (2, 512, 8, 10)
    assert larger["features.0"].multiply_adds * 224 * 224 == first.multiply_adds * 2 * 256 * 320
    text = vgg11.summary((1, 3, 64, 64))
    assert "3x3 s1 p1 d1" in text and "[1, 512, 2, 2]" in text and "activation bytes: " in text
    assert f"parameters: {sum(layer.parameters for layer in layers.values()):,}" in vgg11.summary()


def test_receptive_fields_are_what_an_output_depends_on() -> None:
    graph = sasuka.Graph((1, 40, 36))
    x = graph.conv2d(graph.input, "a", 2, (3, 5), stride=(2, 1), padding=(1, 0, 2, 2), dilation=(2, 1))
    y = graph.conv2d(x, "b", 2, 3, padding="same")
    x = graph.avg_pool2d(x + y, (2, 3), stride=(2, 2))
    model = graph.model(x)
    info = model.layers()[-1]
    assert info.receptive_field is not None
    base, place = pictures(1, 1, 40, 36), (4, 5)
    differs = np.zeros((40, 36), bool)
    before = model(base)[0, :, place[0], place[1]]
    for row in range(40):
        for column in range(36):
            changed = base.copy()
            changed[0, 0, row, column] += 1
            differs[row, column] = (model(changed)[0, :, place[0], place[1]] != before).any()
    for axis, field in enumerate(info.receptive_field):
        seen = np.flatnonzero(differs.any(1 - axis))
        start = field.start + place[axis] * field.step
        assert (seen[0], seen[-1]) == (start, start + field.size - 1)


def test_fields_of_upsampled_maps_are_unknown_and_gates_see_everything() -> None:
    graph = sasuka.Graph((2, 8, 8))
    x = graph.conv2d(graph.input, "conv", 4, 3, padding=1)
    up = graph.conv_transpose2d(x, "up", 4, 2, stride=2)
    layers = graph.model(up).layers()
    assert layers[-1].receptive_field is None and layers[-1].kernel == (2, 2)
    graph = sasuka.Graph((2, 8, 8))
    x = graph.conv2d(graph.input, "conv", 4, 3, padding=1)
    layers = graph.model(x * graph.adaptive_avg_pool2d(x, 1)).layers()
    assert layers[0].receptive_field[0] == (3, 1, -1) and layers[-1].receptive_field[0] == (10, 1, -1)


def test_tables_of_impossible_pictures_are_errors(vgg11: sasuka.Model) -> None:
    model = vgg11
    with pytest.raises(sasuka.InvalidArgumentError, match="smallest square picture.* 32 x 32"):
        model.layers((1, 3, 16, 16))
    with pytest.raises(sasuka.InvalidArgumentError, match="channels"):
        model.summary((1, 4, 224, 224))


# ---- Heads ----


@pytest.mark.parametrize(("name", "heads"), [("mobilenet_v2", 1), ("squeezenet1_1", 1), ("all_cnn_c", 1), ("googlenet", 3)])
def test_a_new_head_has_torchvisions_names(name: str, heads: int) -> None:
    """SasukaTests asks the same of every architecture."""
    model = sasuka.create_model(name, seed=1)
    before, after = model.parameters(), model.replace_head(7, seed=2).parameters()
    assert [entry.name for entry in before] == [entry.name for entry in after]
    changed = [(old, new) for old, new in zip(before, after) if old.shape != new.shape]
    assert len(changed) == 2 * heads and all(new.shape == (7, *old.shape[1:]) for old, new in changed)


def test_all_other_numbers_stay_and_the_old_model_too() -> None:
    model = settle(sasuka.create_model("cifar_resnet20", seed=1))
    x, before = pictures(2, 3, 32, 32), model.state_dict()
    logits = model(x)
    session, trainer = model.session(x.shape), sasuka.Trainer(model, lr=0.1)
    changed = model.replace_head(3, seed=5)
    after = changed.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before if not name.startswith("fc."))
    # As PyTorch's Linear: uniform within 1 / sqrt(64).
    assert np.abs(after["fc.weight"]).max() <= 0.125 < 1.02 * np.abs(after["fc.weight"]).max()
    assert not np.array_equal(after["fc.weight"], model.replace_head(3, seed=6).state_dict()["fc.weight"])
    sasuka.Trainer(changed, lr=0.1).step(x, np.array([0, 2]))
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    np.testing.assert_array_equal(model(x), logits)
    np.testing.assert_array_equal(session(x), logits)
    trainer.step(x, np.array([0, 9]))
    features = model.extract_features(x, ["flatten"])["flatten"]
    assert changed(x).shape == (2, 3) and features.shape == (2, 64)


def test_changed_models_save_and_load_as_any_other() -> None:
    changed = settle(sasuka.create_model("squeezenet1_1", seed=1)).replace_head(5, seed=2)
    again = sasuka.create_model("squeezenet1_1", num_classes=5, seed=9)
    again.load_weights(changed.save_weights())
    x = pictures(1, 3, 64, 64)
    np.testing.assert_array_equal(again(x), changed(x))


def test_heads_that_make_no_sense_are_refused() -> None:
    model = small()
    with pytest.raises(sasuka.InvalidArgumentError, match="num_classes is 0"):
        model.replace_head(0)
    graph = sasuka.Graph((3, 8, 8))
    end = graph.model(graph.conv2d(graph.input, "last", 4, 3))
    with pytest.raises(sasuka.UnsupportedError, match='ends with convolution "last"'):
        end.replace_head(3)
    graph = sasuka.Graph((3, 8, 8))
    with pytest.raises(sasuka.UnsupportedError, match="no layer with weights"):
        graph.model(graph.max_pool2d(graph.input, 2)).replace_head(3)


# ---- Classifiers that slide ----


@pytest.mark.parametrize("pool", ["flatten", "adaptive"])
def test_the_map_of_scores_is_what_sliding_crops_give(pool: str) -> None:
    model = small(pool=pool)
    slides = model.make_convolutional()
    x = pictures(2, 3, 34, 38)
    scores = slides(x)
    assert scores.shape == (2, 7, 3, 5)
    for row in range(3):
        for column in range(5):
            # Neighbouring scores are four pixels apart: two poolings of stride 2.
            crop = x[:, :, 4 * row : 4 * row + 26, 4 * column : 4 * column + 22]
            close(scores[:, :, row, column], model(crop))


def test_vgg11_slides_over_its_features(vgg11: sasuka.Model) -> None:
    slides, state = vgg11.make_convolutional(), vgg11.state_dict()
    shapes = {entry.name: entry.shape for entry in slides.parameters()}
    assert shapes["classifier.0.weight"] == (4096, 512, 7, 7) and shapes["classifier.6.weight"] == (10, 4096, 1, 1)
    x = pictures(1, 3, 256, 288)
    # Each session packs half a gigabyte of weights: it is closed before the next one.
    with slides.session() as session:
        scores = session(x)
    with slides.session() as session, vgg11.session() as whole:
        crop = x[:, :, :224, :224]
        close(session(crop)[:, :, 0, 0], whole(crop))
    features = vgg11.extract_features(x, ["features"])["features"]
    assert scores.shape == (1, 10, 2, 3) and features.shape == (1, 512, 8, 9)
    windows = [features[:, :, row : row + 7, column : column + 7].reshape(-1) for row in range(2) for column in range(3)]
    y = np.stack(windows)
    for layer in ("classifier.0", "classifier.3", "classifier.6"):
        y = y @ state[layer + ".weight"].T + state[layer + ".bias"]
        y = y if layer.endswith("6") else np.maximum(y, 0)
    close(scores[0], y.T.reshape(10, 2, 3))


def test_a_classifier_behind_a_global_average_slides_before_it() -> None:
    model = settle(sasuka.create_model("cifar_resnet20", seed=2))
    slides = model.make_convolutional()
    x = pictures(2, 3, 48, 40)
    scores = slides(x)
    # Maps of 8 x 8 at the nominal 32 x 32, of 12 x 10 here.
    assert scores.shape == (2, 10, 5, 3)
    found = slides.extract_features(x, ["fc", "layer3"])
    state = model.state_dict()
    activation_map = np.einsum("nchw,oc->nohw", found["layer3"], state["fc.weight"]) + state["fc.bias"][:, None, None]
    close(found["fc"], activation_map)
    for row in range(5):
        for column in range(3):
            close(scores[:, :, row, column], activation_map[:, :, row : row + 8, column : column + 8].mean((2, 3)))
    close(slides(x[:, :, :32, :32])[:, :, 0, 0], model(x[:, :, :32, :32]))


@pytest.mark.parametrize("name", ["squeezenet1_1", "googlenet", "mobilenet_v3_small"])
def test_at_the_nominal_size_nothing_changes(name: str, googlenet: sasuka.Model) -> None:
    model = googlenet if name == "googlenet" else settle(sasuka.create_model(name, seed=2, num_classes=10))
    slides = model.make_convolutional()
    x = pictures(1, 3, 224, 224)
    close(slides(x)[:, :, 0, 0], model(x))
    assert not any(entry.name.startswith("aux") for entry in slides.parameters())
    step = 16 if name == "squeezenet1_1" else 32
    assert slides.output_shape((1, 3, 288, 256)) == (1, 10, 64 // step + 1, 32 // step + 1)


def test_poolings_to_a_part_of_the_map_slide_with_dilation() -> None:
    graph = sasuka.Graph((2, 12, 12))
    x = graph.adaptive_avg_pool2d(graph.conv2d(graph.input, "conv", 3, 1), (3, 2))
    model = graph.model(graph.linear(graph.flatten(x), "fc", 4), seed=1)
    slides, picture = model.make_convolutional(), pictures(1, 2, 14, 15)
    scores = slides(picture)
    assert scores.shape == (1, 4, 3, 4)
    for row in range(3):
        for column in range(4):
            close(scores[:, :, row, column], model(picture[:, :, row : row + 12, column : column + 12]))


def test_classifiers_that_cannot_slide_are_named() -> None:
    graph = sasuka.Graph((2, 6, 6))
    x = graph.softmax(graph.linear(graph.flatten(graph.input), "fc", 4), name="probabilities")
    with pytest.raises(sasuka.UnsupportedError, match='softmax "probabilities" in the classifier cannot slide'):
        graph.model(x).make_convolutional()
    graph = sasuka.Graph((2, 6, 6))
    with pytest.raises(sasuka.UnsupportedError, match="does not come out of linear layers"):
        graph.model(graph.conv2d(graph.input, "conv", 3, 3)).make_convolutional()
    graph = sasuka.Graph((2, 7, 7))
    x = graph.flatten(graph.adaptive_avg_pool2d(graph.input, 3, name="pool"))
    with pytest.raises(sasuka.UnsupportedError, match='"pool" divides .* into windows of different sizes'):
        graph.model(graph.linear(x, "fc", 2)).make_convolutional()


# ---- Ablation ----


def test_a_block_without_its_branch_is_its_shortcut() -> None:
    model = settle(sasuka.create_model("cifar_resnet20", seed=2))
    x = pictures(2, 3, 32, 32)
    without = model.ablate(["layer1.1", "layer2.0"])
    names = {entry.name for entry in model.parameters()} - {entry.name for entry in without.parameters()}
    assert {name.rsplit(".", 2)[0] for name in names} == {"layer1.1", "layer2.0"}
    assert not any("downsample" in name for name in names)
    before, after = model.extract_features(x, ["layer1.0", "layer1.1"]), without.extract_features(x, ["layer1.0"])
    np.testing.assert_array_equal(before["layer1.0"], after["layer1.0"])
    # The same as a branch whose last normalisation gives 0.
    state = model.state_dict()
    for block in ("layer1.1", "layer2.0"):
        state[block + ".bn2.weight"][:] = 0
        state[block + ".bn2.bias"][:] = 0
    twin = sasuka.create_model("cifar_resnet20")
    twin.load_state_dict(state)
    close(without(x), twin(x))
    found = twin.extract_features(x, ["layer1.0", "layer1.1"])
    np.testing.assert_array_equal(found["layer1.1"], found["layer1.0"])
    assert np.abs(model(x) - twin(x)).max() > 1e-3


def test_a_block_whose_weights_are_zero_is_the_identity() -> None:
    model = settle(sasuka.create_model("cifar_resnet32", seed=2))
    state = model.state_dict()
    for name in state:
        if name.startswith("layer1.1.") and not name.endswith(("running_var", "num_batches_tracked")):
            state[name] = np.zeros_like(state[name])
    model.load_state_dict(state)
    found = model.extract_features(pictures(1, 3, 32, 32), ["layer1.0", "layer1.1"])
    np.testing.assert_array_equal(found["layer1.1"], found["layer1.0"])
    assert found["layer1.0"].any()


def test_branches_of_inception_are_cut(googlenet: sasuka.Model) -> None:
    model = googlenet
    x = pictures(1, 3, 96, 96)
    cut = model.ablate("inception4a.branch2", "zero")
    before = model.extract_features(x, ["inception4a.concatenate"])["inception4a.concatenate"]
    after = cut.extract_features(x, ["inception4a.concatenate"])["inception4a.concatenate"]
    assert not after[:, 192:400].any() and before[:, 192:400].any()
    np.testing.assert_array_equal(np.delete(after, np.s_[192:400], 1), np.delete(before, np.s_[192:400], 1))
    cut.load_weights(model.save_weights())
    sasuka.Trainer(cut, lr=0.01).step(x, np.array([3]))


@pytest.mark.parametrize("name", ["cifar_resnet56", "mobilenet_v2", "regnet_x_400mf", "efficientnet_b0"])
def test_networks_become_plain(name: str) -> None:
    model = settle(sasuka.create_model(name, seed=2, num_classes=10))
    plain = model.ablate("", "shortcut")
    assert not any(layer.kind in ("add", "stochastic_depth") for layer in plain.layers())
    lost = {e.name for e in model.parameters()} - {e.name for e in plain.parameters()}
    assert all(".downsample." in name or ".proj." in name for name in lost)
    size = 32 if name.startswith("cifar") else 64
    assert np.isfinite(plain(pictures(1, 3, size, size))).all()


def test_layers_and_stages_are_bypassed_where_shapes_fit() -> None:
    model = settle(sasuka.create_model("cifar_resnet20", seed=2))
    x = pictures(1, 3, 32, 32)
    found = model.extract_features(x, ["relu", "layer1.0.relu"])
    stage = model.ablate("layer1").extract_features(x, ["layer2.0.conv1"])["layer2.0.conv1"]
    twin = model.ablate(["layer1.0", "layer1.1", "layer1.2"])
    np.testing.assert_array_equal(stage, twin.extract_features(x, ["layer2.0.conv1"])["layer2.0.conv1"])
    assert found["relu"].any()
    branch = settle(sasuka.create_model("shufflenet_v2_x0_5", seed=1))
    assert len(branch.ablate("stage2.1").parameters()) < len(branch.parameters())


def test_ablating_nothing_makes_a_copy(googlenet: sasuka.Model) -> None:
    with googlenet.ablate([]) as copy:
        assert copy is not googlenet and copy.summary() == googlenet.summary()
        theirs = googlenet.state_dict()
        assert all(np.array_equal(value, theirs[name]) for name, value in copy.state_dict().items())


def test_ablations_that_make_no_sense_are_refused(googlenet: sasuka.Model) -> None:
    model = googlenet
    with pytest.raises(sasuka.InvalidArgumentError, match=r"\[1, 208, 14, 14\] of \[1, 480, 14, 14\]"):
        model.ablate("inception4a.branch2")
    with pytest.raises(sasuka.NotFoundError, match='"inception9"'):
        model.ablate("inception9", "zero")
    with pytest.raises(sasuka.InvalidArgumentError, match="no sum with a shortcut"):
        model.ablate("inception4a", "shortcut")
    with pytest.raises(ValueError, match="'half'; one of 'bypass', 'zero', 'shortcut'"):
        model.ablate("inception4a", "half")
    # Stages change the number of channels; their own projections keep the rest whole, layers alone do not.
    resnet = sasuka.create_model("cifar_resnet20")
    with pytest.raises(sasuka.InvalidArgumentError, match="only a value of the same shape"):
        resnet.ablate("layer2.0.conv1")
    graph = sasuka.Graph((2, 6, 6))
    x = graph.conv2d(graph.input, "a", 2, 1) + graph.conv2d(graph.input, "b", 2, 1)
    with pytest.raises(sasuka.InvalidArgumentError, match="cannot be told"):
        graph.model(x).ablate("", "bypass")


# ---- Poolings ----


@pytest.mark.parametrize("kind", ["convolution", "depthwise"])
def test_maximum_poolings_become_convolutions_that_begin_as_averages(kind: str) -> None:
    model = small(padding=1)
    changed = model.replace_max_pool("features.*", kind)
    names = [entry.name for entry in changed.parameters()]
    assert names[:6] == [f"features.{n}.{what}" for n in (0, 2, 3) for what in ("weight", "bias")]
    x = pictures(2, 3, 26, 22)
    found = changed.extract_features(x, ["features.1", "features.2"])
    n, c, h, w = found["features.1"].shape
    windows = found["features.1"].reshape(n, c, h // 2, 2, w // 2, 2)
    close(found["features.2"], windows.mean((3, 5)))
    shape = (6, 6 if kind == "convolution" else 1, 2, 2)
    weight = changed.state_dict()["features.2.weight"]
    assert weight.shape == shape
    trainer = sasuka.Trainer(changed, lr=0.1)
    trainer.step(x, np.array([1, 2]))
    assert (changed.state_dict()["features.2.weight"] != weight).any()
    assert not any(layer.kind == "max_pool" for layer in changed.layers())


def test_a_stride_takes_a_poolings_place(vgg11: sasuka.Model) -> None:
    changed = vgg11.replace_max_pool("*", "stride")
    assert changed.parameters() == vgg11.parameters()
    strides = {layer.name: layer.stride for layer in changed.layers() if layer.kind == "convolution"}
    assert strides["features.0"] == (2, 2) and strides["features.6"] == (1, 1) and strides["features.8"] == (2, 2)
    x = pictures(1, 3, 64, 64)
    first = vgg11.extract_features(x, ["features.0"])["features.0"]
    close(changed.extract_features(x, ["features.0"])["features.0"], first[:, :, ::2, ::2])


@pytest.mark.parametrize("name", ["squeezenet1_0", "googlenet"])
def test_sizes_stay_whatever_way_poolings_round(name: str, googlenet: sasuka.Model) -> None:
    model = googlenet if name == "googlenet" else sasuka.create_model(name, num_classes=4)
    changed = model.replace_max_pool()
    sizes = {layer.name: layer.output_shape for layer in model.layers() if layer.kind == "max_pool"}
    assert sizes and {layer.name: layer.output_shape for layer in changed.layers() if layer.name in sizes} == sizes


def test_poolings_that_cannot_be_replaced_are_named(googlenet: sasuka.Model) -> None:
    model = googlenet
    with pytest.raises(sasuka.NotFoundError, match='no max_pool layer\'s name matches "pool9"'):
        model.replace_max_pool("pool9")
    with pytest.raises(sasuka.UnsupportedError, match='max_pool "maxpool3" has no convolution of its own'):
        model.replace_max_pool("maxpool3", "stride")


def test_global_average_pooling_takes_the_classifiers_place(vgg11: sasuka.Model) -> None:
    model = vgg11
    changed = model.pool_globally(seed=3)
    state = changed.state_dict()
    assert [name for name in state if name.startswith("classifier")] == ["classifier.6.weight", "classifier.6.bias"]
    assert state["classifier.6.weight"].shape == (10, 512)
    assert sum(value.size for value in state.values()) < 10_000_000
    assert changed.preprocessing() == model.preprocessing()
    x = pictures(1, 3, 96, 64)
    features = model.extract_features(x, ["features"])["features"]
    close(changed(x), features.mean((2, 3)) @ state["classifier.6.weight"].T + state["classifier.6.bias"])
    again = changed.make_convolutional().replace_head(4)
    assert again.state_dict()["classifier.6.weight"].shape == (4, 512, 1, 1)
    with pytest.raises(sasuka.UnsupportedError, match="does not end a classifier of linear layers"):
        sasuka.create_model("squeezenet1_1").pool_globally()


def test_a_block_whose_weights_are_0_is_the_identity() -> None:
    """Behind a ReLU, which changes nothing more: the block passes on what comes in, in evaluation and in training."""
    x = pictures(2, 3, 32, 32)
    model = settle(sasuka.create_model("cifar_resnet20", seed=1))
    state = model.state_dict()
    for name in state:
        if name.startswith("layer2.1.") and name.endswith((".weight", ".bias", "running_mean")):
            state[name] = np.zeros_like(state[name])
    before = model.extract_features(x, ["layer2.0", "layer2.1"])
    assert (before["layer2.0"] != before["layer2.1"]).any()
    model.load_state_dict(state)
    after = model.extract_features(x, ["layer2.0", "layer2.1"])
    np.testing.assert_array_equal(after["layer2.1"], after["layer2.0"])
    np.testing.assert_array_equal(model.ablate("layer2.1")(x), model(x))
    trainer = sasuka.Trainer(model)
    trainer.watch(["layer2.0", "layer2.1"])
    trainer.forward_backward(x, np.array([1, 2]))
    np.testing.assert_array_equal(trainer.feature("layer2.1"), trainer.feature("layer2.0"))
    # So does the gradient, where the ReLU lets it pass.
    passed = trainer.feature_gradient("layer2.1") * (trainer.feature("layer2.1") > 0)
    np.testing.assert_allclose(trainer.feature_gradient("layer2.0"), passed, rtol=1e-5, atol=1e-9)


def test_blocks_begin_as_the_identity_where_their_last_normalisation_is_0() -> None:
    model = sasuka.create_model("resnet18", num_classes=4, zero_init_residual=True, seed=1)
    found = model.extract_features(pictures(1, 3, 64, 64), ["maxpool", "layer1.0", "layer1.1"])
    np.testing.assert_array_equal(found["layer1.0"], found["maxpool"])
    np.testing.assert_array_equal(found["layer1.1"], found["maxpool"])


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_stochastic_depth_skips_blocks_in_training_only(probability: float) -> None:
    """The last block is skipped with the probability, which is seen where a sample's result is its shortcut's."""
    model = sasuka.create_model("cifar_resnet20", stochastic_depth=probability, seed=1)
    x = pictures(64, 3, 32, 32)
    trainer = sasuka.Trainer(model, seed=2)
    trainer.watch(["layer3.1", "layer3.2"])
    trainer.forward(x)
    skipped = (trainer.feature("layer3.1") == trainer.feature("layer3.2")).all(axis=(1, 2, 3))
    # Of 64 draws; four standard deviations.
    assert abs(skipped.mean() - probability) <= 4 * np.sqrt(probability * (1 - probability) / 64)
    found = model.extract_features(x, ["layer3.1", "layer3.2"])
    assert not (found["layer3.1"] == found["layer3.2"]).all(axis=(1, 2, 3)).any()
