"""`python -m sasuka` as a person or a script uses it."""

from __future__ import annotations

import json
import re
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sasuka
from sasuka.cli import COMMANDS, main


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def result(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    return json.loads(run(capsys, *arguments, "--json"))


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of pictures [20 x 24]: flags with horizontal stripes, vertical stripes, or none."""
    folder = tmp_path_factory.mktemp("flags")
    random = np.random.default_rng(0)
    for name in ("horizontal", "plain", "vertical"):
        (folder / name).mkdir()
        for number in range(20):
            pixels = np.empty((20, 24, 3))
            pixels[:] = random.integers(0, 256, 3)
            if name == "horizontal":
                pixels[::4], pixels[1::4] = 255 - pixels[::4], 255 - pixels[1::4]
            elif name == "vertical":
                pixels[:, ::4], pixels[:, 1::4] = 255 - pixels[:, ::4], 255 - pixels[:, 1::4]
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def trained(flags: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("trained") / "model"
    command = [sys.executable, "-m", "sasuka", "train", flags, output, "--json", "--architecture", "lenet5", "--grey"]
    settings = ["--size", "32", "--epochs", "15", "--batch-size", "8", "--lr", "0.005", "--workers", "2", "--no-augmentation"]
    done = subprocess.run([*map(str, command), *settings], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stderr == ""
    return output, json.loads(done.stdout)


def test_training_saves_what_evaluates_and_predicts(
    capsys: pytest.CaptureFixture[str], flags: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    output, told = trained
    assert told["classes"] == ["horizontal", "plain", "vertical"] and len(told["history"]) == 15
    assert told["history"][-1]["valid_accuracy"] > 0.8
    assert sorted(path.name for path in output.iterdir()) == ["history.csv", "sasuka.json", "weights.safetensors"]
    found = result(capsys, "evaluate", output, flags)
    assert found["pictures"] == 60 and found["accuracy"] > 0.8 and found["top5"] == 1
    predicted = result(capsys, "predict", output, flags / "plain", flags / "vertical" / "03.png", "--top-k", 2)
    assert len(predicted) == 21 and Path(predicted[-1]["picture"]).name == "03.png"
    right = [Path(one["picture"]).parent.name == one["classes"][0]["name"] for one in predicted]
    assert np.mean(right) > 0.7
    first, second = predicted[0]["classes"]
    assert first["probability"] >= second["probability"] and first["probability"] + second["probability"] <= 1.000001
    assert "  " + first["name"] in run(capsys, "predict", output, flags / "plain", "--top-k", 1)
    assert "60 pictures: accuracy 0." in run(capsys, "evaluate", output, flags).replace("1.0000", "0.9999")


def test_bundles_repeat_what_was_trained(flags: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    bundle = sasuka.Bundle.load(trained[0])
    picture = flags / "plain" / "00.png"
    expected = bundle.predict([picture], top_k=3)
    assert sum(one.probability for one in expected[0]) == pytest.approx(1, abs=1e-5)
    assert bundle.predict([Image.open(picture)], top_k=3) == expected
    assert bundle.predict([np.asarray(Image.open(picture))], top_k=3) == expected
    bundle.save(tmp_path / "copy")
    assert sasuka.Bundle.load(tmp_path / "copy").predict([picture], top_k=3) == expected
    (tmp_path / "copy" / "sasuka.json").write_text('{"classes": []}')
    with pytest.raises(sasuka.FormatError, match="sasuka.json is no description of a bundle"):
        sasuka.Bundle.load(tmp_path / "copy")


def test_what_trains_and_what_is_evaluated_are_prepared_alike(flags: Path) -> None:
    """Pillow's way, which augments bytes, and the engine's, which needs no Pillow, give the same input."""
    steps = sasuka.Preprocessing(3, 16, 16, "bilinear", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    prepared = sasuka.data.ImageFolder(flags, preprocessing=steps).batch(np.arange(0, 60, 7))[0]
    pictures, targets = sasuka.data.ImageFolder(flags, 16).batch(np.arange(0, 60, 7))
    normalised = sasuka.transforms.Normalize(steps.mean, steps.std)(pictures, targets, np.random.default_rng(0))[0]
    np.testing.assert_allclose(prepared, normalised, rtol=1e-5, atol=1e-5)


def test_networks_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, "list", "resnet*", "--module", "resnet") == sasuka.list_models("resnet*", module="resnet")
    assert run(capsys, "list").splitlines() == sasuka.list_models()
    found = result(capsys, "summary", "resnet18", "--num-classes", 10, "--size", 64)
    assert found["parameters"] == 11_181_642 and found["layers"][0]["output_shape"] == [1, 64, 32, 32]
    assert "layer4.1.conv2" in run(capsys, "summary", "resnet18")


def test_weights_go_from_format_to_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = sasuka.create_model("lenet5", num_classes=7, seed=3)
    model.save_weights(tmp_path / "0.safetensors")
    formats = ["0.safetensors", "1.npz", "2.pth", "3.npz", "4.safetensors"]
    for source, destination in zip(formats, formats[1:]):
        run(capsys, "convert", "lenet5", "--num-classes", 7, tmp_path / source, tmp_path / destination)
    copy = sasuka.create_model("lenet5", num_classes=7)
    copy.load_weights(tmp_path / "4.safetensors")
    for name, array in copy.state_dict().items():
        np.testing.assert_array_equal(array, model.state_dict()[name])
    assert "expected" in run(capsys, "convert", "lenet5", tmp_path / "1.npz", tmp_path / "x.onnx", code=1)


def test_published_architectures_predict_with_given_weights(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: Path
) -> None:
    sasuka.create_model("squeezenet1_1", num_classes=3, seed=1).save_weights(tmp_path / "w.pth")
    (tmp_path / "names.txt").write_text("one\ntwo\nthree\n")
    given = ["squeezenet1_1", "--weights", tmp_path / "w.pth", "--classes", tmp_path / "names.txt"]
    found = result(capsys, "predict", *given, flags / "plain" / "00.png")
    assert sorted(one["name"] for one in found[0]["classes"]) == ["one", "three", "two"]
    assert "needs --weights" in run(capsys, "predict", "squeezenet1_1", flags / "plain" / "00.png", code=1)


@pytest.mark.parametrize("train", [False, True])
def test_benchmarks_time_what_they_say(capsys: pytest.CaptureFixture[str], train: bool) -> None:
    extra = ["--train"] if train else []
    found = result(capsys, "benchmark", "lenet5", "--batch", 3, "--repeat", 5, *extra)
    assert found["input"] == [3, 1, 32, 32] and found["what"] == ("training step" if train else "inference")
    assert 0 < found["milliseconds"]["least"] <= found["milliseconds"]["median"]
    assert found["pictures_per_second"] == pytest.approx(3000 / found["milliseconds"]["median"])


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_helps_and_refuses_nonsense(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and f"sasuka {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([command, "--nonsense"])
    assert ended.value.code == 2 and "usage: sasuka" in capsys.readouterr().err


def test_without_a_command_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, code=2)
    for command in ("train", "predict", "benchmark"):
        assert re.search(rf"^ +{command}\s+\w", said, flags=re.M)


def test_failures_say_why(capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: Path) -> None:
    assert "resnet19" in run(capsys, "summary", "resnet19", code=1)
    assert "nowhere" in run(capsys, "train", tmp_path / "nowhere", tmp_path / "out", code=1)
    assert not (tmp_path / "out").exists()
    sasuka.create_model("lenet5").save_weights(tmp_path / "w.npz")
    assert "no folder" in run(capsys, "evaluate", "lenet5", flags, code=1)
    text = run(capsys, "convert", "resnet18", tmp_path / "w.npz", tmp_path / "x.npz", code=1)
    assert text.startswith("sasuka: ") and "missing" in text


def test_ctrl_c_ends_with_130(flags: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
               "print('ready', flush=True)\nfrom sasuka.cli import main; raise SystemExit(main())"]
    rest = ["train", str(flags), str(tmp_path / "out"), "--architecture", "cifar_resnet20", "--size", "32", "--epochs", "10000", "--lr", "0.01"]
    with subprocess.Popen([*command, *rest], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        while not (tmp_path / "out").exists() and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "sasuka: stopped\n" and process.returncode == 130


def test_the_folder_that_train_wrote_is_a_network_everywhere(
    capsys: pytest.CaptureFixture[str], trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    output, _ = trained
    found = result(capsys, "summary", output)
    assert found["layers"][-1]["output_shape"] == [1, 3] and found["layers"][0]["output_shape"][1] == 6
    run(capsys, "convert", output, output / "weights.safetensors", tmp_path / "w.pth")
    copy = sasuka.create_model("lenet5", num_classes=3, in_channels=1)
    copy.load_weights(tmp_path / "w.pth")
    for name, array in sasuka.Bundle.load(output).model.state_dict().items():
        np.testing.assert_array_equal(array, copy.state_dict()[name])
    assert result(capsys, "benchmark", output, "--repeat", 1)["input"] == [1, 1, 32, 32]
    assert "--num-classes" in run(capsys, "summary", output, "--num-classes", 4, code=1)


def test_fine_tuning_says_what_it_draws_anew(capsys: pytest.CaptureFixture[str], flags: Path, tmp_path: Path) -> None:
    sasuka.create_model("lenet5", num_classes=10).save_weights(tmp_path / "w.pth")
    given = ["train", flags, tmp_path / "out", "--architecture", "lenet5", "--grey", "--size", 32, "--epochs", 1, "--weights"]
    found = result(capsys, *given, tmp_path / "w.pth")
    # A short training is not worth a search for its rate.
    assert found["drawn_anew"] == ["fc3.weight", "fc3.bias"] and found["lr"] == 2e-3
    assert "drawn anew: fc3.weight, fc3.bias\n" in run(capsys, *given, tmp_path / "w.pth")
    sasuka.create_model("cifar_resnet20").save_weights(tmp_path / "other.pth")
    said = run(capsys, *given, tmp_path / "other.pth", code=1)
    assert "other.pth: fits none of the network's parameters: " in said


def test_a_longer_training_begins_with_a_search_for_its_rate(capsys: pytest.CaptureFixture[str], flags: Path, tmp_path: Path) -> None:
    given = ["train", flags, tmp_path / "out", "--architecture", "lenet5", "--grey", "--size", 32, "--batch-size", 8]
    assert result(capsys, *given, "--epochs", 16)["lr"] == 1e-3
    assert result(capsys, *given, "--epochs", 17)["lr"] != 1e-3


def test_numbers_that_are_none_are_null_in_json(capsys: pytest.CaptureFixture[str], flags: Path, tmp_path: Path) -> None:
    given = ["--architecture", "lenet5", "--grey", "--size", "32", "--epochs", "6", "--optimizer", "sgd", "--lr", "1e38"]
    text = run(capsys, "train", flags, tmp_path / "out", *given, "--json")
    assert "NaN" not in text and "Infinity" not in text and json.loads(text)["history"][-1]["train_loss"] is None


def test_what_is_out_of_range_is_named(capsys: pytest.CaptureFixture[str], flags: Path, tmp_path: Path) -> None:
    given = ["train", flags, tmp_path / "out", "--architecture", "lenet5", "--grey", "--size", 32, "--lr", 0.01]
    for name, value in (("epochs", 0), ("size", 0), ("seed", -1)):
        assert f"{name} is {value}; at least" in run(capsys, *given, f"--{name}", value, code=1)
    assert "and all are held out" in run(capsys, *given, "--validation", 0.999, code=1)
    (tmp_path / "file").write_text("")
    given[2] = tmp_path / "file"
    assert f"{tmp_path / 'file'}: File exists" in run(capsys, *given, code=1)
    assert "out of memory" in run(capsys, "benchmark", "lenet5", "--batch", 10**9, "--size", 64, code=1)
    assert run(capsys, "list", "nothing*") == ""
    sasuka.create_model("lenet5").save_weights(tmp_path / "w.npz")
    said = run(capsys, "convert", "lenet5", "--num-classes", 3, tmp_path / "w.npz", tmp_path / "x.npz", code=1)
    assert said.endswith("; --num-classes and --in-channels say what the file has\n") and "skip_mismatched" not in said
