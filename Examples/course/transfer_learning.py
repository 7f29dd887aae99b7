"""Transfer learning, measured: a ResNet-20 taught five kinds of clothes, and three ways to teach it the other five from few
pictures: a new head on frozen features (computed once), fine-tuning at rates that fall towards the input, and from scratch
(Yosinski et al. 2014, How Transferable Are Features in Deep Neural Networks?).
"""

from __future__ import annotations

import time

import numpy as np
from common import Data, accuracy, fashion_mnist, parser, train

import sasuka

#: T-shirt, trouser, pullover, dress, coat; the new ones are sandal, shirt, sneaker, bag, boot.
KNOWN = np.arange(5)


def split(data: Data) -> tuple[Data, Data]:
    """The known classes and the new ones, each numbered from 0."""
    pictures, classes = data
    known = np.isin(classes, KNOWN)
    return (pictures[known], classes[known]), (pictures[~known], classes[~known] - 5)


def fit(trainer: sasuka.Trainer, data: Data, epochs: int, rate: float, batch_size: int = 32) -> None:
    """Trains by one cycle up to a rate and down."""
    pictures, classes = data
    rng = np.random.default_rng(0)
    steps = len(pictures) // batch_size
    trainer.set_schedule("one_cycle", maximum=rate, total_steps=trainer.steps + epochs * steps)
    for _ in range(epochs):
        order = rng.permutation(len(pictures))
        for step in range(steps):
            chosen = order[step * batch_size : (step + 1) * batch_size]
            trainer.step(pictures[chosen], classes[chosen])


def new_trainer(model: sasuka.Model, rate: float, module: str | None = None) -> sasuka.Trainer:
    return sasuka.Trainer(model, "sgd", rate, momentum=0.9, nesterov=True, weight_decay=1e-3, from_module=module)


def frozen(model: sasuka.Model, few: Data) -> None:
    """A head on what the network computes before it, which is computed once."""
    features = model.features(few[0], "flatten"), few[1]
    with new_trainer(model, 0.1, "flatten") as trainer:
        fit(trainer, features, 60, 0.1)


def fine_tuned(model: sasuka.Model, few: Data) -> None:
    """First the head as above, then everything, more slowly the earlier."""
    frozen(model, few)
    with new_trainer(model, 0.03) as trainer:
        for pattern, factor in [("*", 0.03), ("layer2.*", 0.1), ("layer3.*", 0.3), ("fc.*", 1.0)]:
            trainer.add_group(pattern, lr_factor=factor)
        fit(trainer, few, 20, 0.03)


def from_scratch(model: sasuka.Model, few: Data) -> None:
    model.initialize(seed=7)
    with new_trainer(model, 0.1) as trainer:
        fit(trainer, few, 40, 0.1)


def step_times(model: sasuka.Model, few: Data) -> None:
    """What an epoch costs: frozen layers need no backward pass, cached features no forward pass either."""
    cached = model.features(few[0], "flatten"), few[1]
    for name, module, freezes in [("all layers", None, False), ("frozen", None, True), ("cached", "flatten", False)]:
        with new_trainer(model, 0.0, module) as trainer:
            if freezes:
                trainer.freeze(evaluation=True)
                trainer.unfreeze("fc.*")
            fit(trainer, cached if module else few, 1, 1e-9)
            start = time.perf_counter()
            fit(trainer, cached if module else few, 1, 1e-9)
            milliseconds = 1e3 * (time.perf_counter() - start)
            print(f"{name:<12} {milliseconds:8.1f} ms an epoch, trainer {trainer.memory / 2**20:7.2f} MiB")


def main() -> None:
    made = parser(__doc__, pictures=10000, epochs=2)
    made.add_argument("--few", type=int, nargs="+", default=[50, 500], help="pictures of the new classes (default 50 500)")
    arguments = made.parse_args()
    training, testing = fashion_mnist(arguments)
    (known, new), (known_test, new_test) = split(training), split(testing)
    teacher = sasuka.create_model("cifar_resnet20", num_classes=5, in_channels=1, seed=1, threads=arguments.threads)
    seconds = train(teacher, known, arguments.epochs)
    print(f"known classes: {len(known[0])} pictures, {seconds:.1f} s, accuracy {accuracy(teacher, known_test):.4f}", flush=True)
    print(f"{'new classes':<24} {'seconds':>8} {'accuracy':>9}")
    for count in arguments.few:
        few = new[0][:count], new[1][:count]
        for name, teach in [("frozen", frozen), ("fine-tuned", fine_tuned), ("from scratch", from_scratch)]:
            with teacher.replace_head(5, seed=3) as model:
                start = time.perf_counter()
                teach(model, few)
                seconds = time.perf_counter() - start
                print(f"{count:>4} pictures {name:<14} {seconds:8.2f} {accuracy(model, new_test):9.4f}", flush=True)
    with teacher.replace_head(5, seed=3) as model:
        step_times(model, (new[0][:count], new[1][:count]))


if __name__ == "__main__":
    main()
