from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import pickletools
import struct
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import build

import sasuka
from sasuka._library import Tensor
from sasuka.tensors import Borrowed


def test_forward_is_the_formula() -> None:
    graph = sasuka.Graph((2, 5, 4))
    model = graph.model(graph.conv2d(graph.input, "conv", 3, (3, 2), stride=(2, 1), padding=(1, 0, 2, 1)))
    x = np.random.default_rng(1).standard_normal((2, 2, 5, 4))
    state = model.state_dict()
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 1)))
    expected = np.zeros((2, 3, 2, 6))
    for row in range(2):
        for column in range(6):
            window = padded[:, :, 2 * row : 2 * row + 3, column : column + 2]
            expected[:, :, row, column] = np.einsum("nchw,ochw->no", window, state["conv.weight"]) + state["conv.bias"]
    assert model.output_shape(x.shape) == expected.shape
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-5)


def test_any_strides_and_types_are_read_where_they_lie(model: sasuka.Model, pictures: np.ndarray) -> None:
    expected = model(pictures)
    channels_last = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(model(channels_last), expected)
    np.testing.assert_array_equal(model(pictures[::-1, :, ::-1][::-1, :, ::-1]), expected)
    np.testing.assert_array_equal(model(pictures.astype(np.float64)), expected)
    numbers = np.arange(3 * 12 * 12, dtype=np.uint8).reshape(1, 3, 12, 12)
    np.testing.assert_array_equal(model(numbers), model(numbers.astype(np.float32)))


def test_output_is_written_where_it_lies(model: sasuka.Model, pictures: np.ndarray) -> None:
    expected = model(pictures)
    wide = np.full((6, 10), 7.0)
    assert model(pictures, out=wide[:, ::2]).base is wide
    np.testing.assert_array_equal(wide[:, ::2].astype(np.float32), expected)
    assert (wide[:, 1::2] == 7).all()
    frozen = np.zeros((6, 5), dtype=np.float32)
    frozen.flags.writeable = False
    with pytest.raises(sasuka.InvalidArgumentError, match="read-only"):
        model(pictures, out=frozen)


def test_thread_counts_give_the_same_bits(pictures: np.ndarray) -> None:
    results = [build(threads=threads)(pictures) for threads in (1, 2, 3, 7)]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_sessions_see_new_weights(model: sasuka.Model, pictures: np.ndarray) -> None:
    with model.session() as session:
        np.testing.assert_array_equal(session(pictures), model(pictures))
        assert session.output_shape == (6, 5) and session.memory > 0
        model.initialize("fc.weight", "constant", 0.0)
        np.testing.assert_array_equal(session(pictures), np.broadcast_to(model.state_dict()["fc.bias"], (6, 5)))


def test_exact_leaves_out_what_rounds_more() -> None:
    pictures = np.random.default_rng(0).standard_normal((1, 64, 28, 28)).astype(np.float32)

    def network(exact: bool) -> sasuka.Model:
        graph = sasuka.Graph(pictures.shape[1:])
        return graph.model(graph.conv2d(graph.input, "conv", 64, 3, padding=1), exact=exact)

    fast, exact = network(False)(pictures), network(True)(pictures)
    np.testing.assert_array_equal(network(False).session(exact=True)(pictures), exact)
    np.testing.assert_allclose(fast, exact, rtol=0, atol=1e-4 * np.abs(exact).max())
    if sasuka.instruction_set() != "baseline":
        assert (fast != exact).any()


def test_state_dict_goes_both_ways(pictures: np.ndarray) -> None:
    first, second = build(seed=1), build(seed=2)
    state = first.state_dict()
    assert list(state)[:3] == ["conv1.weight", "conv1.bias", "bn1.weight"]
    assert state["bn1.num_batches_tracked"].dtype == np.int64 and state["bn1.num_batches_tracked"].shape == ()
    second.load_state_dict(state)
    np.testing.assert_array_equal(second(pictures), first(pictures))
    before = second.state_dict()
    broken = {**{name: array + 1 for name, array in state.items()}, "fc.bias": np.zeros(4)}
    with pytest.raises(sasuka.MismatchError, match=r"fc.bias has shape \[4\], \[5\] is expected"):
        second.load_state_dict(broken)
    for name, array in second.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_parameters_are_set_together_or_not_at_all() -> None:
    """What `load_state_dict` checks itself, the library checks too."""
    model, lib = build(), sasuka.model.lib
    before = model.state_dict()
    new = {name: before[name] + 1 for name in ("conv1.weight", "fc.bias", "bn1.num_batches_tracked")}

    def give(values: dict[str, np.ndarray], count: int | None = None) -> None:
        borrowed = [Borrowed(value) for value in values.values()]
        tensors = (Tensor * len(borrowed))(*[value.struct for value in borrowed])
        names = (ctypes.c_char_p * len(values))(*[name.encode() for name in values])
        lib.sasuka_model_set_parameters(model._handle, names, tensors, len(values) if count is None else count)

    wrong = [
        ({"nobody": new["fc.bias"]}, 'no parameter is called "nobody"'),
        ({"fc.weight": new["fc.bias"]}, r'value for "fc.weight" has shape \[5\]; \[5, 288\] is expected'),
        ({"bn2.num_batches_tracked": np.float32(1).reshape(())}, 'the counter "bn2.num_batches_tracked" has type float32'),
    ]
    for last, message in wrong:
        with pytest.raises(sasuka.SasukaError, match=message):
            give({**new, **last})
    for count in (-1, 2**62, len(before) + 1):
        with pytest.raises(sasuka.InvalidArgumentError, match=f"parameters; 0 to {len(before)} are expected"):
            give(new, count)
    give(new, 0)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    give(new)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, new.get(name, before[name]))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.npz"])
def test_files_go_both_ways(tmp_path: Path, name: str, pictures: np.ndarray) -> None:
    first, second = build(seed=1), build(seed=2)
    first.save_weights(tmp_path / name)
    second.load_weights(tmp_path / name)
    np.testing.assert_array_equal(second(pictures), first(pictures))
    if name.endswith("npz"):
        stored = np.load(tmp_path / name)
        assert set(stored) == set(first.state_dict())
        np.testing.assert_array_equal(stored["conv2.weight"], first.state_dict()["conv2.weight"])


def test_bytes_go_both_ways(pictures: np.ndarray) -> None:
    first, second = build(seed=1), build(seed=2)
    data = first.save_weights()
    second.load_weights(data)
    np.testing.assert_array_equal(second(pictures), first(pictures))
    for length in range(0, len(data), 97):
        with pytest.raises(sasuka.SasukaError):
            second.load_weights(data[:length])
    np.testing.assert_array_equal(second(pictures), first(pictures))


def test_errors_carry_the_message(model: sasuka.Model, pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"input has shape \[6, 3, 12\]; rank 4 is expected"):
        model(pictures[..., 0])
    with pytest.raises(sasuka.FileError, match="no/such/file"):
        model.load_weights("no/such/file")
    with pytest.raises(LookupError, match='"nothing\\*"'):
        model.initialize("nothing*", "constant", 1.0)
    with pytest.raises(ValueError, match="padding 'some'"):
        sasuka.Graph((1, 4, 4)).conv2d(sasuka.Graph((1, 4, 4)).input, "c", 1, 1, padding="some")


def test_the_summary_is_text_and_a_table() -> None:
    model = sasuka.create_model("squeezenet1_1")
    text = model.summary()
    assert isinstance(text, str) and repr(text) == text and text.startswith("layer ")
    assert text._repr_html_() == model._repr_html_()
    for again in (pickle.loads(pickle.dumps(text)), copy.deepcopy(text)):
        assert again == text and again._repr_html_() == text._repr_html_()
    small = model.summary((1, 3, 64, 64))
    assert small != text and small._repr_html_() != text._repr_html_()


def test_the_summary_counts_parameters(model: sasuka.Model) -> None:
    learnt = sum(int(np.prod(shape)) for _, shape, kind in model.parameters() if kind == "weight")
    assert f"parameters: {learnt:,}" in model.summary()


def test_objects_are_freed_in_any_order(pictures: np.ndarray) -> None:
    model = build()
    session, trainer = model.session(pictures.shape), sasuka.Trainer(model)
    expected = model(pictures)
    model.close()
    del trainer
    gc.collect()
    np.testing.assert_array_equal(session(pictures), expected)
    with pytest.raises(sasuka.WrongStateError, match="this Model is closed"):
        model(pictures)


def test_shape_questions() -> None:
    assert sasuka.window_output_size(224, 7, 2, 3) == 112
    assert sasuka.window_output_size(10, 3, 2, (0, 1), 1, True) == 5
    assert sasuka.transposed_output_size(7, 3, 2, 1, 1, 1) == 14
    assert sasuka.resolve_padding("same_upper", 5, 2, 2) == (0, 1)
    assert sasuka.receptive_field([(7, 2, 1, 3), (3, 2, 1, 1)]) == (11, 4, -5)
    with pytest.raises(ValueError, match="stride"):
        sasuka.window_output_size(5, 3, 0)


def test_architectures_by_name() -> None:
    names = sasuka.architectures()
    assert {"resnet18", "vgg16", "densenet121", "mobilenet_v2"} <= set(names)
    model = sasuka.create_model("shufflenet_v2_x0_5", num_classes=5, in_channels=1, seed=3)
    assert model(np.zeros((2, 1, 64, 64), dtype=np.float32)).shape == (2, 5)
    assert list(model.state_dict())[0] == "conv1.0.weight"
    with pytest.raises(sasuka.NotFoundError, match="resnet19.*resnet18"):
        sasuka.create_model("resnet19")


def test_names_that_only_look_alike_are_different() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    graph = sasuka.Graph((1, 3, 3))
    x = graph.conv2d(graph.conv2d(graph.input, composed, 2, 1), decomposed, 2, 1)
    assert [name.split(".")[0] for name in graph.model(x).state_dict()] == [composed, composed, decomposed, decomposed]
    with pytest.raises(sasuka.InvalidArgumentError, match="exists already"):
        graph.conv2d(x, composed, 2, 1)


def test_a_profile_accounts_for_the_whole_run(model: sasuka.Model, pictures: np.ndarray) -> None:
    with model.session(pictures.shape, threads=1, profile=True) as session:
        session(pictures)
        begin = time.perf_counter_ns()
        rows = session.profile(pictures, runs=1)
        elapsed = time.perf_counter_ns() - begin
    assert [rows[0].kind, rows[1].kind, rows[-1].kind] == ["read_input", "prepare_weights", "write_output"]
    assert 0 < rows.total <= elapsed
    assert all(row.waiting == 0 for row in rows)
    convolution = next(row for row in rows.nodes() if row.name == "conv1" and row.kind == "convolution")
    assert convolution.algorithm
    assert convolution.input_shape == (6, 3, 12, 12) and convolution.output_shape == (6, 8, 12, 12)
    assert convolution.multiply_adds == 6 * 8 * 12 * 12 * 3 * 9
    assert "conv1" in str(rows) and rows.to_array()["nanoseconds"].sum() == pytest.approx(rows.total)


def test_weights_are_prepared_again_after_they_changed(model: sasuka.Model, pictures: np.ndarray) -> None:
    with model.session(pictures.shape, profile=True) as session:
        session(pictures)
        settled = session.profile(pictures, runs=5, least=True)[1].nanoseconds
        model.initialize(seed=3)
        assert session.profile(pictures, runs=1)[1].nanoseconds > settled


def test_a_session_that_was_not_made_to_profile_says_so(model: sasuka.Model, pictures: np.ndarray) -> None:
    with model.session() as session, pytest.raises(sasuka.WrongStateError, match="not made to profile"):
        session.profile(pictures)


@pytest.mark.parametrize("suffix", ["pth", "pt"])
def test_pytorch_s_files_are_written(tmp_path: Path, pictures: np.ndarray, suffix: str) -> None:
    first, second = build(seed=1), build(seed=2)
    path = tmp_path / f"weights.{suffix}"
    first.save_weights(path)
    second.load_weights(path)
    np.testing.assert_array_equal(second(pictures), first(pictures))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with pytest.raises(sasuka.FileError, match="no/such/folder/w.pth: cannot create"):
        first.save_weights("no/such/folder/w.pth")


def test_pytorch_s_files_are_archives_that_can_be_mapped(tmp_path: Path) -> None:
    path, state = tmp_path / "weights.pth", build().state_dict()
    build().save_weights(path)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert archive.read("archive/version") == b"3\n" and archive.read("archive/byteorder") == b"little"
        pickled = archive.read("archive/data.pkl")
    assert list(entries)[2:-1] == [f"archive/data/{place}" for place in range(len(state))]
    for (name, array), entry in zip(state.items(), list(entries.values())[2:-1]):
        names, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
        start = entry.header_offset + 30 + names + extra
        assert entry.compress_type == zipfile.ZIP_STORED and start % 64 == 0
        assert data[start : start + entry.file_size] == array.tobytes(), name
    # What stands in the pickle, told by the standard library: strings, and whose versions they are.
    texts = [argument for opcode, argument, _ in pickletools.genops(pickled) if opcode.name == "BINUNICODE"]
    assert texts[texts.index("_metadata") + 1 :: 2] == ["", "bn1", "bn2"]


def test_pytorch_reads_what_was_written(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    layers = "nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(800, 5)"
    model = sasuka.nn.Sequential(*eval(layers, {"nn": sasuka.nn})).model((3, 12, 12), seed=3)
    theirs = torch.nn.Sequential(*eval(layers, {"nn": torch.nn}))
    model.save_weights(tmp_path / "weights.pth")
    found = torch.load(tmp_path / "weights.pth", weights_only=True)
    assert list(found) == list(model.state_dict()) == list(theirs.state_dict())
    for name, array in model.state_dict().items():
        assert found[name].numpy().dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name].numpy(), array)
    told = theirs.state_dict()._metadata
    assert dict(found._metadata) == {name: told[name] for name in ("", "1")} == {"": {"version": 1}, "1": {"version": 2}}
    theirs.load_state_dict(found, strict=True)
    torch.save(theirs.state_dict(), tmp_path / "back.pth")
    model.load_weights(tmp_path / "back.pth", strict=True)


def test_sessions_made_at_once_see_the_same_fresh_weights(pictures: np.ndarray) -> None:
    expected = build(seed=5)(pictures)
    for _ in range(20):
        fresh = build(seed=5)
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda _: fresh.session(threads=1)(pictures), range(4)))
        for result in results:
            np.testing.assert_array_equal(result, expected)


def test_weights_that_were_loaded_stay_and_the_others_are_drawn() -> None:
    state, fresh = build(seed=1).state_dict(), build(seed=2).state_dict()
    model = build(seed=2)
    model.load_state_dict({"conv1.weight": state["conv1.weight"]}, strict=False)
    for name, numbers in model.state_dict().items():
        np.testing.assert_array_equal(numbers, (state if name == "conv1.weight" else fresh)[name], name)


def test_what_outlives_the_module_at_exit_says_nothing(model: sasuka.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's exit takes a module's names away before the last objects."""
    with monkeypatch.context() as patch:
        patch.setattr("sasuka._library.lib", None)
        model.__del__()
    model.close()
