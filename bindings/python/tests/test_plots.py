"""Plots show the numbers that they are given, in the axes that they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot
from test_learner import learner

import sasuka
from sasuka import plots
from sasuka.data import DataLoader
from sasuka._words import LITHUANIAN


@pytest.fixture(scope="module")
def trained() -> sasuka.Learner:
    ours = learner()
    ours.fit_one_cycle(3, 0.01)
    return ours


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def picture(trained: sasuka.Learner) -> np.ndarray:
    assert trained.valid is not None
    return next(iter(trained.valid))[0][0]


PLOTS: dict[str, Callable[[sasuka.Learner, Any], Any]] = {
    "history": lambda ours, ax: plots.history(ours, ax),
    "accuracy": lambda ours, ax: plots.history(ours.history, ax, metric="accuracy"),
    "losses": lambda ours, ax: plots.losses(ours, ax),
    "learning_rates": lambda ours, ax: plots.learning_rates(ours, ax),
    "lr_find": lambda ours, ax: ours.lr_find(1e-5, 10, steps=40).plot(ax),
    "gradient_norms": lambda ours, ax: plots.gradient_norms(ours.trainer, ax),
    "confusion_matrix": lambda ours, ax: plots.confusion_matrix([0, 1, 2, 1], [0, 1, 1, 1], ax),
    "top_losses": lambda ours, ax: plots.top_losses(ours, 5, ax),
    "pictures": lambda ours, ax: plots.pictures(np.zeros((3, 3, 4, 4)), ax, titles=["a", "b", "c"]),
    "filters": lambda ours, ax: plots.filters(ours.model, ax=ax),
    "feature_maps": lambda ours, ax: plots.feature_maps(ours.model, picture(ours), "conv", ax),
    "network": lambda ours, ax: plots.network(ours.model, ax),
    "grad_cam": lambda ours, ax: plots.grad_cam(
        picture(ours), sasuka.grad_cam(ours.model, picture(ours)[np.newaxis], None, "relu")[0], ax
    ),
    "convolution_arithmetic": lambda ours, ax: plots.convolution_arithmetic(5, 3, 2, 1, ax=ax),
    "transposed_arithmetic": lambda ours, ax: plots.transposed_arithmetic(3, 3, 2, 1, 1, ax=ax),
}


def test_every_plot_is_here() -> None:
    assert set(plots.__all__) - {"losses", "set_language"} <= set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_it_draws_where_it_is_told_and_alone(name: str, trained: sasuka.Learner, tmp_path: Path) -> None:
    _, (left, right) = pyplot.subplots(1, 2)
    assert PLOTS[name](trained, right) is right
    assert right.has_data() and not left.has_data()
    alone = PLOTS[name](trained, None)
    alone.figure.savefig(tmp_path / "plot.png", dpi=30)
    pixels = pyplot.imread(tmp_path / "plot.png")
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 5


def test_curves_are_the_numbers(trained: sasuka.Learner) -> None:
    training, validation = plots.history(trained).lines
    np.testing.assert_array_equal(training.get_ydata(), trained.history.column("train_loss"))
    np.testing.assert_array_equal(validation.get_ydata(), trained.history.column("valid_loss"))
    np.testing.assert_array_equal(plots.learning_rates(trained).lines[0].get_ydata(), trained.rates)
    trained.trainer.zero_gradients()
    trained.trainer.forward_backward(np.ones((2, 1, 8, 8), dtype=np.float32), [0, 1])
    gradients = trained.trainer.gradients()
    drawn = plots.gradient_norms(trained.trainer)
    expected = [np.linalg.norm(gradients[name]) for name in ("conv.weight", "fc.weight")]
    np.testing.assert_allclose(drawn.lines[0].get_ydata(), expected, rtol=1e-6)
    assert [label.get_text() for label in drawn.get_xticklabels()] == ["conv", "fc"]


def test_captions_are_in_the_language_that_was_chosen(trained: sasuka.Learner) -> None:
    plots.set_language("lt")
    try:
        assert plots.history(trained).get_xlabel() == "epocha"
        assert "įvestis 5 x 5" in [text.get_text() for text in plots.convolution_arithmetic(5, 3).texts]
        boxes = [text.get_text() for text in plots.network(trained.model).texts]
        assert any(text.startswith("sąsūka 3 x 3 · užpildymas 1\n") for text in boxes)
        table = trained.model.summary()._repr_html_()
        assert ">sluoksnis</th>" in table and ">sąsūka</td>" in table and ">iš viso</td>" in table
        assert "<th>mokymo nuostolis</th>" in trained.history._repr_html_()
    finally:
        plots.set_language("en")
    assert plots.history(trained).get_xlabel() == "epoch"
    with pytest.raises(sasuka.InvalidArgumentError, match="language 'xx'; one of 'en', 'lt' is expected"):
        plots.set_language("xx")


#: Operators with a name in every language, and functions that are called the same in all.
OPERATORS = {
    "adaptive average pool", "add", "average pool", "batch norm", "channel shuffle", "concatenate", "convolution", "dropout",
    "dropout2d", "flatten", "group norm", "linear", "local response norm", "max pool", "mean", "multiply", "pad", "permute",
    "reshape", "resize", "slice", "stochastic depth", "sum", "transposed convolution",
}  # fmt: skip
FUNCTIONS = {"hard sigmoid", "hard swish", "relu", "relu6", "sigmoid", "silu", "tanh"}


def test_every_caption_has_a_translation_and_every_translation_a_caption(trained: sasuka.Learner) -> None:
    sources = "".join(path.read_text() for path in Path(sasuka.__file__).parent.rglob("*.py"))
    # `word(metric)` has the names of an epoch's numbers; networks' boxes have operators, and what slides over their maps.
    said = {"loss", "accuracy", *OPERATORS, "stride", "padding", "dilation", *(name.replace("_", " ") for name in trained.history.names)}
    assert set(re.findall(r"""word\(["'](.*?)["']\)""", sources)) | said == set(LITHUANIAN)
    kinds = {layer.kind for name in sasuka.list_models() for layer in sasuka.create_model(name).layers()}
    assert {kind.replace("_", " ") for kind in kinds} <= OPERATORS | FUNCTIONS


def test_the_confusion_matrix_counts() -> None:
    ax = plots.confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], classes=["cat", "dog", "owl"])
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert shown == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 2): "2", (2, 0): "1"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog", "owl"]
    with pytest.raises(sasuka.InvalidArgumentError, match="as many are expected"):
        plots.confusion_matrix([0, 1], [0])


def test_a_learner_has_a_confusion_matrix(trained: sasuka.Learner) -> None:
    assert trained.valid is not None
    ax = plots.confusion_matrix(trained)
    assert sum(int(text.get_text()) for text in ax.texts) == len(trained.valid.dataset)
    with pytest.raises(sasuka.WrongStateError, match="no validation data"):
        plots.confusion_matrix(sasuka.Learner(trained.model, trained.train))


def test_top_losses_are_the_worst(trained: sasuka.Learner) -> None:
    assert isinstance(trained.valid, DataLoader)
    true = trained.valid.dataset.targets()
    losses = -np.log(trained.predict()[np.arange(len(true)), true])
    titles = [text.get_text().split("\n")[1] for text in plots.top_losses(trained, 4).texts]
    assert titles == [f"{loss:.2f}" for loss in np.sort(losses)[::-1][:4]]


def test_drawings_have_a_box_for_each_module() -> None:
    model = sasuka.create_model("resnet18")
    for depth, count in ((1, 11), (2, 7 + 4 * 2), (None, len(model.layers()))):
        ax = plots.network(model, depth=depth, input_shape=(1, 3, 64, 64))
        assert len([patch for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]) == count + 1
    titles = [text.get_text() for text in plots.network(model, depth=1).texts if text.get_weight() == "bold"]
    assert titles[:5] == ["input", "conv1", "bn1", "relu", "maxpool"] and titles[-1] == "fc"


@pytest.mark.parametrize(
    ("arguments", "title", "window"),
    [
        ({"input_size": 5, "kernel_size": 3, "stride": 2, "padding": 1, "at": (1, 2)}, "output 3 x 3", (4, 2, 3, 3)),
        ({"input_size": (4, 6), "kernel_size": (2, 3), "stride": 2, "padding": "same_upper"}, "output 2 x 3", (0, 0, 3, 2)),
        ({"input_size": 7, "kernel_size": 3, "dilation": 2, "at": (1, 1)}, "output 3 x 3", (1, 1, 5, 5)),
    ],
)
def test_the_window_stands_where_it_computes(arguments: Any, title: str, window: tuple[int, ...]) -> None:
    ax = plots.convolution_arithmetic(**arguments)
    assert title in [text.get_text() for text in ax.texts]
    frame = [patch for patch in ax.patches if patch.get_linewidth() == 2.5]
    assert [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in frame] == [window]
    with pytest.raises(sasuka.InvalidArgumentError, match="at is .* the output has"):
        plots.convolution_arithmetic(**{**arguments, "at": (9, 9)})


@pytest.mark.parametrize(
    ("arguments", "title", "white"),
    [
        ({"input_size": 3, "kernel_size": 3, "stride": 2, "padding": 1, "at": (4, 4)}, "output 5 x 5", {1, 3, 5}),
        ({"input_size": 2, "kernel_size": 4, "stride": 3, "output_padding": 2, "at": (8, 0)}, "output 9 x 9", {3, 6}),
    ],
)
def test_a_transposed_convolution_slides_over_values_and_zeros(arguments: Any, title: str, white: set[int]) -> None:
    ax = plots.transposed_arithmetic(**arguments)
    assert title in [text.get_text() for text in ax.texts]
    values = {patch.get_xy() for patch in ax.patches if patch.get_linestyle() == "solid" and patch.get_linewidth() == 1}
    width = max(x for x, _ in values if x in white) + 1
    assert {(x, y) for x, y in values if x < width} == {(x, y) for x in white for y in white}
    (window,) = [patch for patch in ax.patches if patch.get_linewidth() == 2.5]
    row, column = arguments["at"]
    size = arguments["kernel_size"]
    assert (window.get_xy(), window.get_width()) == ((column, row), size)
    # The window of the last pixel ends where the cells end.
    cells = max(patch.get_y() for patch in ax.patches if patch.get_linestyle() != "solid") + 1
    assert row + size == cells
    with pytest.raises(sasuka.InvalidArgumentError, match="padding is 9 .* 0 to kernel_size - 1 is expected"):
        plots.transposed_arithmetic(**{**arguments, "padding": 9})


def test_what_cannot_be_drawn_is_said(trained: sasuka.Learner) -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match="'fc' is no convolution; conv are"):
        plots.filters(trained.model, "fc")
    with pytest.raises(sasuka.InvalidArgumentError, match=r"'fc' makes \[3\] of a picture"):
        plots.feature_maps(trained.model, picture(trained), "fc")
    with pytest.raises(sasuka.InvalidArgumentError, match=r"a picture has shape \[2, 4, 4\]"):
        plots.pictures(np.zeros((1, 2, 4, 4)))


def test_one_epoch_and_one_step_are_points_above_a_whole_number() -> None:
    pictures, classes = np.zeros((4, 1, 8, 8), dtype=np.float32), np.array([0, 1, 2, 0])
    model = sasuka.nn.Sequential(sasuka.nn.Flatten(), sasuka.nn.Linear(64, 3)).model((1, 8, 8))
    ours = sasuka.Learner(model, (pictures, classes), batch_size=4, progress=False)
    for draw in (plots.history, plots.losses, plots.learning_rates):
        with pytest.raises(sasuka.WrongStateError, match="train first"):
            draw(ours)
    ours.fit(1)
    for draw in (plots.history, plots.losses, plots.learning_rates):
        ax = draw(ours)
        assert list(ax.get_xticks()) == [1] and any(line.get_marker() == "o" for line in ax.lines)
    with pytest.raises(sasuka.InvalidArgumentError, match="metric 'f1'; the history holds 'accuracy', 'loss'"):
        plots.history(ours, metric="f1")


def test_the_average_goes_on_behind_a_loss_that_is_no_number(trained: sasuka.Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "losses", [2.0, float("nan"), 4.0])
    each, average = plots.losses(trained, smoothing=0.5).lines
    np.testing.assert_array_equal(each.get_ydata(), [2, np.nan, 4])
    np.testing.assert_allclose(average.get_ydata(), [2, 2, (0.25 * 2 + 0.5 * 4) / 0.75])


@pytest.mark.parametrize("count", [1, 12, 30, 31, 100])
def test_a_confusion_matrix_of_any_size_can_be_read(count: int) -> None:
    names = [f"a class with a long name {number}" for number in range(count)]
    ax = plots.confusion_matrix(np.arange(count), np.arange(count), classes=names)
    assert max(ax.figure.get_size_inches()) < 18
    # Of many classes, only the colours are there, and what they mean.
    assert (len(ax.texts), len(ax.figure.axes)) == ((count, 1) if count <= 30 else (0, 2))
    ax.figure.canvas.draw()
    labels = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in zip(labels, labels[1:]))
    assert all(box.x0 >= 0 for box in labels)
    cell = ax.get_window_extent().width / count
    assert all(text.get_window_extent().width < cell for text in ax.texts)


@pytest.mark.parametrize("alone", [True, False])
def test_long_titles_stay_above_their_picture(alone: bool) -> None:
    ax = None if alone else pyplot.subplots(figsize=(8, 5), layout="constrained")[1]
    ax = plots.pictures(np.ones((6, 1, 28, 28)), ax, titles=["an ankle boot / a pullover\n12.34"] * 6, columns=3)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])
    # Nor over the picture above, whose lower edge lies a gap below the title's room.
    upper_edge = [ax.transData.transform((0, text.get_position()[1]))[1] for text in ax.texts]
    pixels = 28 * (ax.transData.transform((1, 0)) - ax.transData.transform((0, 0)))[0]
    assert all(box.height < upper_edge[0] - upper_edge[3] - pixels for box in boxes)


@pytest.mark.parametrize(
    ("pictures", "titles", "message"),
    [((0, 1, 4, 4), [], "no picture to draw"), ((3, 1, 4, 4), ["a"], "1 titles for 3 pictures; one for each is expected")],
)
def test_pictures_that_are_not_there(pictures: tuple[int, ...], titles: list[str], message: str) -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match=message):
        plots.pictures(np.zeros(pictures), titles=titles)


def test_no_heat_is_drawn_as_none() -> None:
    heat = plots.grad_cam(np.zeros((1, 4, 4)), np.zeros((2, 2))).images[1]
    assert heat.get_clim() == (0, 1)


def test_gradients_without_weights_are_said() -> None:
    with pytest.raises(sasuka.InvalidArgumentError, match="none of 1 gradients is of a convolution or a linear layer"):
        plots.gradient_norms({"bn.weight": np.ones(3)})
