"""How a session's plan is made: passes left out, algorithms timed, saved and given back; weights in memory once."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

import sasuka
from sasuka import nn

PASSES = ["dead_branches", "folding", "fusion", "channels", "bands", "pictures", "layout", "in_place", "reuse"]


@pytest.fixture(scope="module")
def network() -> sasuka.Model:
    return sasuka.create_model("resnet18", num_classes=7, seed=3, threads=1)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 3, 96, 96), dtype=np.float32)


def close(actual: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_can_be_left_out(network: sasuka.Model, x: np.ndarray, name: str) -> None:
    expected = network(x)
    assert close(network.session(without=[name])(x), expected)
    assert close(network.session(without=name)(x), expected)


def test_plans_without_passes_are_larger(network: sasuka.Model, x: np.ndarray) -> None:
    def rows(*without: str) -> int:
        with network.session(x.shape, without=without, profile=True) as session:
            return len(session.profile(x, runs=1).nodes())

    assert rows() < rows("folding") < rows("folding", "fusion") < rows(*PASSES)
    with network.session(x.shape) as usual, network.session(x.shape, without=PASSES) as plain:
        assert close(plain(x), usual(x))
        assert usual.memory < plain.memory


def test_an_unknown_pass_is_told_what_there_is(network: sasuka.Model, x: np.ndarray) -> None:
    with pytest.raises(sasuka.NotFoundError, match='"fuse" is none of the compiler\'s passes: ' + " ".join(PASSES)):
        network.session(x.shape, without=["fuse"])


def test_a_timing_is_saved_and_used(network: sasuka.Model, x: np.ndarray) -> None:
    expected = network.session(x.shape, exact=True)(x)
    with network.session(x.shape, tune=True) as session:
        tuning, result = session.tuning, session(x)
        assert close(result, expected)
    lines = tuning.splitlines()
    assert lines[0] == f"sasuka tuning 1, {sasuka.instruction_set()}, threads 1"
    # Four sizes of 3 x 3 convolutions with stride 1.
    assert len([line for line in lines if " 3 3 1 1 " in line]) == 4
    with network.session(x.shape, tuning=tuning) as again:
        assert again.tuning == tuning
        np.testing.assert_array_equal(again(x), result)
    # What it says is what is done, whatever the model of costs says.
    for name in ("direct", "winograd 2x2", "winograd 4x4", "winograd 7x7", "winograd 7x2"):
        forced = "\n".join([lines[0]] + [" ".join(line.split(" ")[:12]) + " " + name for line in lines[1:]]) + "\n"
        with network.session(x.shape, tuning=forced, profile=True) as session:
            assert close(session(x), expected)
            algorithms = [row.algorithm for row in session.profile(x, runs=1) if "layer1" in row.name and row.kind == "convolution"]
            assert [found for found in algorithms if found != "padding"] == [name] * 4
    # Layers that it does not know are chosen as usual; exact sessions choose nothing.
    with network.session(x.shape, tuning=lines[0] + "\n") as session, network.session(x.shape) as usual:
        assert session.tuning == usual.tuning
    with network.session(x.shape, tuning=forced, exact=True) as session:
        np.testing.assert_array_equal(session(x), expected)


def test_a_timing_says_nothing_about_a_layer_that_has_no_other_algorithm() -> None:
    # VGG's first layer, 3 x 3 over the planes of a picture, is the direct one's alone; the others have several.
    model = sasuka.create_model("vgg11", seed=0, threads=1)
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    with model.session(x.shape) as session:
        title, expected = session.tuning.splitlines()[0], session(x)
    with model.session(x.shape, tuning=f"{title}\n1 1 3 64 3 3 1 1 34 34 32 32 winograd 4x4\n") as session:
        np.testing.assert_array_equal(session(x), expected)


def test_a_first_layer_takes_a_bias_a_normalisation_and_a_sum() -> None:
    with sasuka.Graph((3, 12, 12)) as graph:
        first = graph.batch_norm2d(graph.conv2d(graph.input, "first", 8, 3), "bn")
        model = graph.model(graph.add(first, graph.conv2d(graph.input, "other", 8, 3), "sum"), seed=0, threads=1)
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 12)).astype(np.float32)
    with model.session(x.shape) as fused, model.session(x.shape, without=["folding", "fusion"]) as plain:
        np.testing.assert_allclose(fused(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name, tiles",
    # Phases of 4 taps have one size of tiles, those of 3 the one that is the fastest on this kind of core.
    [("resnet18", "6x6"), ("alexnet", "[4-7]x[24-7]"), ("vgg11", None), ("mobilenet_v2", None)],
)
def test_a_first_layer_of_large_kernels_is_computed_in_phases(name: str, tiles: str | None) -> None:
    model = sasuka.create_model(name, seed=0, threads=1)
    x = np.random.default_rng(0).standard_normal((1, 3, 97, 130)).astype(np.float32)
    has_winograd = sasuka.instruction_set() != "baseline"
    for exact in (False, True):
        # By itself: VGG's is computed with its pooling, by bands.
        with model.session(x.shape, profile=True, exact=exact, without=["bands"]) as session:
            rows = [row for row in session.profile(x, runs=1) if row.kind == "convolution"]
        first = [row.algorithm for row in rows if row.name == rows[0].name and row.algorithm != "padding"]
        taken_apart = tiles is not None and has_winograd and not exact
        assert re.fullmatch(f"space to depth, winograd {tiles}" if taken_apart else "planar", ", ".join(first))


@pytest.mark.parametrize(
    "channels, stride, outputs, algorithms",
    [
        (3, 16, 96, ["space to depth", "direct"]),
        (1, 20, 256, ["space to depth", "direct"]),
        (3, 16, 80, ["planar"]),  # too few weights
        (3, 15, 96, ["planar"]),  # patches overlap
    ],
)
def test_an_image_is_cut_into_patches(channels: int, stride: int, outputs: int, algorithms: list[str]) -> None:
    layers = nn.Sequential(nn.Conv2d(channels, outputs, 16, stride))
    with layers.model((channels, 64, 80), seed=0, threads=1) as model:
        with model.session((2, channels, 64, 80), profile=True) as session:
            rows = session.profile(np.zeros((2, channels, 64, 80), np.float32), runs=1)
    assert [row.algorithm for row in rows if row.kind == "convolution"] == algorithms


@pytest.mark.parametrize(
    "damage, error, message",
    [
        (lambda t: "", sasuka.FormatError, "line 1 does not end"),
        (lambda t: t[:-1], sasuka.FormatError, "line .* does not end"),
        (lambda t: t + "1 1", sasuka.FormatError, "line .* does not end"),
        (lambda t: t.replace("threads 1", "threads 2"), sasuka.MismatchError, "line 1: .*threads 2.*threads 1.* is expected"),
        (lambda t: t.replace("tuning 1", "tuning 2"), sasuka.MismatchError, "line 1"),
        (lambda t: t.replace(sasuka.instruction_set(), "neon"), sasuka.MismatchError, "neon"),
        (lambda t: "{}\n" + t, sasuka.MismatchError, 'line 1: "{}"'),
        (lambda t: t + "1 1 64 64 3 3 1 1 26 26 24 24 winograd\n", sasuka.FormatError, 'line .* 24 winograd"; a layer\'s sizes'),
        (lambda t: t + "1 1 64 64 3 3 1 1 26 26 24 winograd 4x4\n", sasuka.FormatError, "a layer's sizes"),
        (lambda t: t + "1 1 64 64 3 3 1 1 26 26 24 24\n", sasuka.FormatError, "a layer's sizes"),
        (lambda t: t + "-1 1 64 64 3 3 1 1 26 26 24 24 direct\n", sasuka.FormatError, "a layer's sizes"),
        (lambda t: t.replace("\n", "\n\n", 1), sasuka.FormatError, 'line 2: ""; a layer\'s sizes'),
        (lambda t: t + "\u0100 " * 13 + "\n", sasuka.FormatError, "a layer's sizes"),
    ],
)  # fmt: skip
def test_a_timing_that_does_not_fit_is_refused(network: sasuka.Model, x: np.ndarray, damage, error, message) -> None:  # type: ignore[no-untyped-def]
    with network.session(x.shape) as session:
        tuning = session.tuning
    with pytest.raises(error, match=message):
        network.session(x.shape, tuning=damage(tuning))


def test_timing_can_be_stopped() -> None:
    model = sasuka.create_model("vgg11", threads=1)

    def stop() -> None:
        time.sleep(0.5)
        signal.raise_signal(signal.SIGINT)

    before = model.state_dict()["features.0.weight"]
    other = threading.Thread(target=stop)
    # Shells let what they start in the background ignore Ctrl-C.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            model.session((1, 3, 224, 224), tune=True)
    finally:
        other.join()
        signal.signal(signal.SIGINT, ignored)
    np.testing.assert_array_equal(model.state_dict()["features.0.weight"], before)


def test_sessions_share_packed_weights(x: np.ndarray) -> None:
    network = sasuka.create_model("resnet18", threads=1)
    weights = sum(array.nbytes for name, array in network.state_dict().items() if array.ndim == 4)
    with network.session(x.shape) as first:
        alone = first.memory
        with network.session(x.shape) as second:
            assert first.memory == second.memory <= alone - weights
            np.testing.assert_array_equal(first(x), second(x))
        assert first.memory == alone


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_weights_can_be_released(x: np.ndarray) -> None:
    network = sasuka.create_model("resnet18", threads=1)
    state = network.state_dict()
    weights = sum(array.nbytes for array in state.values() if array.ndim == 4)
    # It packs what the other then shares.
    usual = network.session(x.shape)
    expected = usual(x)
    before = resident()
    session = network.session(x.shape, release_weights=True)
    assert resident() <= before - 0.9 * weights
    np.testing.assert_array_equal(session(x), expected)
    np.testing.assert_array_equal(usual(x), expected)
    released = 'the numbers of "conv1.weight" were released when a session had packed them; load the weights again'
    with pytest.raises(sasuka.WrongStateError, match=released):
        network.state_dict()
    with pytest.raises(sasuka.WrongStateError, match=released):
        network.session(exact=True)(x)
    with pytest.raises(sasuka.WrongStateError, match=released), sasuka.Trainer(network) as trainer:
        trainer.step(x, np.array([1]))
    np.testing.assert_array_equal(session(x), expected)
    network.load_state_dict(state)
    assert close(network.session(exact=True)(x), expected)
    np.testing.assert_array_equal(session(x), expected)
    np.testing.assert_array_equal(network.state_dict()["conv1.weight"], state["conv1.weight"])


FIRST_LAYERS: dict[str, Callable[[sasuka.Graph], sasuka.Value]] = {
    "padded": lambda g: g.conv2d(g.input, "a", 24, 3, stride=2, padding=1),
    "whole": lambda g: g.conv2d(g.input, "a", 16, 3, stride=2),
    "in phases": lambda g: g.conv2d(g.input, "a", 64, 7, stride=2, padding=3),
    "of stride 1": lambda g: g.conv2d(g.input, "a", 16, 3, padding=1),
    "two": lambda g: g.conv2d(g.input, "a", 16, 5, padding=2) + g.conv2d(g.input, "b", 16, 1),
    "and a sum": lambda g: g.conv2d(g.input, "a", 3, 3, padding=1) + g.input,
    "and its own output": lambda g: g.concatenate([g.conv2d(g.input, "a", 16, 3, padding=1), g.input]),
}


@pytest.mark.parametrize("layer", FIRST_LAYERS)
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_input_is_computed_alike_wherever_it_lies(layer: str, batch: int, threads: int) -> None:
    graph = sasuka.Graph((3, 37, 41))
    model = graph.model(FIRST_LAYERS[layer](graph))
    x = np.random.default_rng(0).standard_normal((batch, 3, 37, 41)).astype(np.float32)
    x.flags.writeable = False
    session = model.session(x.shape, threads=threads)
    expected = np.array(session(np.asfortranarray(x)))
    misplaced = np.ndarray(x.shape, np.float32, buffer=bytearray(1) + bytearray(x.tobytes()), offset=1)
    assert not misplaced.flags.aligned
    for places in (x, x.astype(np.float64), misplaced, x.copy(), x):
        np.testing.assert_array_equal(session(places), expected)
    other = x + 1
    assert not np.array_equal(session(other), expected)
    np.testing.assert_array_equal(session(x), expected)


LAST_LAYERS: dict[str, Callable[[sasuka.Graph], sasuka.Value]] = {
    "a map": lambda g: g.conv2d(g.input, "a", 4, 3, padding=1),
    "a map beside its input": lambda g: g.conv2d(g.conv2d(g.input, "a", 24, 3, padding=1), "b", 4, 3, padding=1) + g.input,
    "of a pixel": lambda g: g.conv2d(g.input, "a", 10, (37, 41)),
    "numbers": lambda g: g.linear(g.flatten(g.conv2d(g.input, "a", 4, 3)), "fc", 10),
    "a map twice": lambda g: (lambda y: g.concatenate([y, y]))(g.conv2d(g.input, "a", 4, 3, padding=1)),
}


@pytest.mark.parametrize("layer", LAST_LAYERS)
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_output_is_alike_wherever_it_lies(layer: str, batch: int, threads: int) -> None:
    graph = sasuka.Graph((4, 37, 41))
    model = graph.model(LAST_LAYERS[layer](graph))
    x = np.random.default_rng(0).standard_normal((batch, 4, 37, 41)).astype(np.float32)
    session = model.session(x.shape, threads=threads)
    expected = np.array(session(np.asfortranarray(x)))
    shape = expected.shape
    apart = np.full((shape[0], 3 * shape[1], *shape[2:]), np.nan, np.float32)[:, ::3]
    for out in (np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32, order="F"), apart):
        assert session(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
    # The next run writes elsewhere.
    kept, other = session(x), session(x + 1)
    np.testing.assert_array_equal(kept, expected)
    assert not np.array_equal(other, expected)
    # Over the input, and over a part of it.
    memory = np.zeros(2 * max(x.size, expected.size), np.float32)
    for start in (0, min(x.size, expected.size) // 2):
        memory[: x.size] = x.ravel()
        out = memory[start : start + expected.size].reshape(shape)
        np.testing.assert_array_equal(session(memory[: x.size].reshape(x.shape), out=out), expected)


def test_what_is_observed_stays_when_the_output_is_written_elsewhere() -> None:
    graph = sasuka.Graph((4, 9, 9))
    model = graph.model(graph.conv2d(graph.input, "a", 4, 3, padding=1))
    x = np.random.default_rng(0).standard_normal((1, 4, 9, 9)).astype(np.float32)
    session = model.session(x.shape, features=["a"])
    out = np.empty(x.shape, np.float32)
    np.testing.assert_array_equal(session(x, out=out), model(x))
    out[:] = 0
    np.testing.assert_array_equal(session.feature("a"), model(x))


def test_threads_may_call_one_model() -> None:
    model = sasuka.create_model("squeezenet1_1", num_classes=7, threads=1, seed=2)
    random = np.random.default_rng(0)
    inputs = [random.random((1, 3, size, size), dtype=np.float32) for size in (64, 64, 80, 96)]
    expected = [model(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: model(inputs[number % 4]), range(80)))
    for number, result in enumerate(found):
        np.testing.assert_array_equal(result, expected[number % 4])
    assert model._plans
    plans = [weakref.ref(plan) for plan in model._plans]
    model.close()
    assert all(plan() is None for plan in plans)
    with pytest.raises(sasuka.WrongStateError, match="closed"):
        model(inputs[0])


@pytest.mark.parametrize(
    "layer, channels, algorithm",
    [
        (nn.ConvTranspose2d(64, 3, 4, 2, 1), 64, "taps"),
        (nn.ConvTranspose2d(56, 1, 9, 3, 4, output_padding=2), 56, "taps"),
        (nn.Conv2d(64, 1, 5, padding=2), 64, "taps"),
        (nn.Conv2d(64, 3, 5, padding=2), 64, "few"),  # sums would take as long as products
        (nn.Conv2d(64, 1, 8), 64, "few"),  # most products would fall beside the output
    ],
)
def test_taps_fill_what_few_channels_leave(layer: nn.Module, channels: int, algorithm: str) -> None:
    x = np.zeros((1, channels, 12, 12), np.float32)
    with nn.Sequential(layer).model(x.shape[1:], seed=0, threads=1) as model:
        with model.session(x.shape, profile=True, exact=True) as session:
            rows = session.profile(x, runs=1)
    found = [row.algorithm for row in rows if "convolution" in row.kind]
    assert found[-1] == (algorithm if sasuka.instruction_set() != "baseline" else "direct")
