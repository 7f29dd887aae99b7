"""Transfer learning, measured: a ResNet-20 taught six kinds of clothes, and three ways to teach it four others from few
pictures: a new head on frozen features (computed once), fine-tuning at rates that fall towards the input, and from scratch
(Yosinski et al. 2014, How Transferable Are Features in Deep Neural Networks?). Each way is tried with several seeds, from which
follow the pictures drawn, their order and the new weights.

What the teacher knows decides how much it helps: here it has seen clothes, bags and shoes. One that knows only T-shirts,
trousers, pullovers, dresses and coats has nothing to say about shoes.
"""

from __future__ import annotations

import time

import numpy as np
from common import Data, accuracy, fashion_mnist, parser, train

import sasuka

#: T-shirt, pullover, dress, sandal, bag, boot; the new ones are trousers, coat, shirt, sneaker.
KNOWN = np.array([0, 2, 3, 5, 8, 9])
NEW = np.array([1, 4, 6, 7])
BATCH_SIZE = 32


def select(data: Data, kinds: np.ndarray) -> Data:
    """The pictures of some classes, which are numbered from 0."""
    pictures, classes = data
    chosen = np.isin(classes, kinds)
    return pictures[chosen], np.searchsorted(kinds, classes[chosen])


def draw(data: Data, count: int, seed: int) -> Data:
    """As many pictures of each class, `count` in all or a few less."""
    pictures, classes = data
    random = np.random.default_rng(seed)
    each = count // len(NEW)
    drawn = [random.choice(np.flatnonzero(classes == kind), each, replace=False) for kind in range(len(NEW))]
    chosen = np.concatenate(drawn)
    return pictures[chosen], classes[chosen]


def fit(trainer: sasuka.Trainer, data: Data, steps: int, rate: float, seed: int) -> None:
    """Trains by one cycle up to a rate and down; epoch after epoch, each in a new order."""
    pictures, classes = data
    random = np.random.default_rng(seed)
    trainer.set_schedule("one_cycle", maximum=rate, total_steps=trainer.steps + steps)
    waiting = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(waiting) < BATCH_SIZE:
            waiting = np.concatenate([waiting, random.permutation(len(pictures))])
        chosen, waiting = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
        trainer.step(pictures[chosen], classes[chosen])


def new_trainer(model: sasuka.Model, rate: float, module: str | None = None) -> sasuka.Trainer:
    return sasuka.Trainer(model, "sgd", rate, momentum=0.9, nesterov=True, weight_decay=1e-3, from_module=module)


def frozen(model: sasuka.Model, few: Data, steps: int, seed: int) -> None:
    """A head on what the network computes before it, which is computed once."""
    features = model.features(few[0], "flatten"), few[1]
    with new_trainer(model, 0.1, "flatten") as trainer:
        fit(trainer, features, steps, 0.1, seed)


def fine_tuned(model: sasuka.Model, few: Data, steps: int, seed: int) -> None:
    """First the head as above, then everything, more slowly the earlier."""
    frozen(model, few, steps, seed)
    with new_trainer(model, 0.03) as trainer:
        for pattern, factor in [("*", 0.03), ("layer2.*", 0.1), ("layer3.*", 0.3), ("fc.*", 1.0)]:
            trainer.add_group(pattern, lr_factor=factor)
        fit(trainer, few, steps // 2, 0.03, seed)


def from_scratch(model: sasuka.Model, few: Data, steps: int, seed: int) -> None:
    """Twice as many steps as fine-tuning has."""
    model.initialize(seed=seed)
    with new_trainer(model, 0.1) as trainer:
        fit(trainer, few, steps, 0.1, seed)


def step_times(model: sasuka.Model, few: Data) -> None:
    """What a step costs: frozen layers need no backward pass, cached features no forward pass either."""
    cached, steps = (model.features(few[0], "flatten"), few[1]), 5
    for name, module, freezes in [("all layers", None, False), ("frozen", None, True), ("cached", "flatten", False)]:
        with new_trainer(model, 0.0, module) as trainer:
            if freezes:
                trainer.freeze(evaluation=True)
                trainer.unfreeze("fc.*")
            data = cached if module else few
            # Compiling comes before timing.
            fit(trainer, data, 1, 1e-9, 0)
            start = time.perf_counter()
            fit(trainer, data, steps, 1e-9, 0)
            milliseconds = 1e3 * (time.perf_counter() - start) / steps
            print(f"{name:<12} {milliseconds:8.2f} ms a step, trainer {trainer.memory / 2**20:7.2f} MiB")


def main() -> None:
    made = parser(__doc__, pictures=20000, epochs=4)
    made.add_argument("--few", type=int, nargs="+", default=[50, 500], help="pictures of the new classes (default 50 500)")
    made.add_argument("--steps", type=int, default=400, help="of the head and from scratch; fine-tuning has half (default 400)")
    made.add_argument("--seeds", type=int, default=3, help="tries of each way (default 3)")
    arguments = made.parse_args()
    training, testing = fashion_mnist(arguments)
    known, known_test = select(training, KNOWN), select(testing, KNOWN)
    new, new_test = select(training, NEW), select(testing, NEW)
    teacher = sasuka.create_model("cifar_resnet20", num_classes=len(KNOWN), in_channels=1, seed=1, threads=arguments.threads)
    seconds = train(teacher, known, arguments.epochs)
    print(f"known classes: {len(known[0])} pictures, {seconds:.1f} s, accuracy {accuracy(teacher, known_test):.4f}", flush=True)
    print(f"{'new classes':<26} {'seconds':>8} {'accuracy, mean and each seed':>30}")
    for count in arguments.few:
        for name, teach in [("frozen", frozen), ("fine-tuned", fine_tuned), ("from scratch", from_scratch)]:
            found, times = [], []
            for seed in range(1, arguments.seeds + 1):
                with teacher.replace_head(len(NEW), seed=seed) as model:
                    few = draw(new, count, seed)
                    start = time.perf_counter()
                    teach(model, few, arguments.steps, seed)
                    times.append(time.perf_counter() - start)
                    found.append(accuracy(model, new_test))
            each = " ".join(f"{value:.4f}" for value in found)
            print(f"{count:>4} pictures {name:<14} {min(times):8.2f} {np.mean(found):9.4f}  {each}", flush=True)
    with teacher.replace_head(len(NEW), seed=3) as model:
        step_times(model, draw(new, count, 3))


if __name__ == "__main__":
    main()
