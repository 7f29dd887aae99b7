"""Commands about pictures: predict, train, evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..bundle import Bundle
from ..callbacks import CSVLogger
from ..data import DataLoader, Dataset, ImageFolder, Subset, find_pictures, random_split
from ..errors import FileError, InvalidArgumentError, MismatchError, WrongStateError
from ..learner import FINDER_STEPS, FINE_TUNING_RATE, Learner
from ..model import Model, create_model
from ..pictures import Preprocessing
from ..transforms import Normalize, RandomCrop, RandomHorizontalFlip, Transform
from .common import Command, add_model, add_threads, open_bundle, table

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _add_loading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="pictures in a batch (32)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="threads that load pictures (1)")


# ---- predict


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="files, and folders of files")
    parser.add_argument("--top-k", type=int, default=5, metavar="K", help="classes of each picture (5)")


def _predict(given: argparse.Namespace) -> list[dict[str, Any]]:
    paths: list[Path] = []
    for name in given.pictures:
        inside = find_pictures(name) if Path(name).is_dir() else [Path(name)]
        if not inside:
            raise FileError(f"{name} holds no pictures")
        paths += inside
    found = open_bundle(given).predict(paths, given.top_k)
    return [{"picture": str(path), "classes": [one._asdict() for one in row]} for path, row in zip(paths, found)]


def _show_predict(found: list[dict[str, Any]]) -> str:
    blocks = []
    for one in found:
        rows = [[f"{best['probability']:.4f}", best["name"]] for best in one["classes"]]
        blocks.append(f"{one['picture']}\n" + "\n".join(f"  {line}" for line in table(rows).splitlines()))
    return "\n".join(blocks)


# ---- train


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a folder with one of pictures for each class, or with train and val of such")
    parser.add_argument("output", metavar="OUTPUT", help="a folder for weights, description and history")
    parser.add_argument("--architecture", default="resnet18", metavar="NAME", help="as `list` shows (resnet18)")
    parser.add_argument("--weights", metavar="FILE", help="to begin with; what does not fit, such as the head, is drawn anew")
    parser.add_argument("--epochs", type=int, default=5, metavar="N", help="(5)")
    parser.add_argument("--lr", type=float, metavar="RATE", help="highest of the one-cycle; default: found by a test, or as usual where training is short")
    parser.add_argument("--optimizer", choices=["adamw", "adam", "sgd", "rmsprop"], default="adamw", help="(adamw)")
    parser.add_argument("--size", type=int, default=224, metavar="PIXELS", help="to which pictures are cut (224)")
    parser.add_argument("--grey", action="store_true", help="one channel")
    parser.add_argument("--no-augmentation", action="store_true", help="neither mirror nor shift pictures")
    parser.add_argument("--mixup", type=float, default=0.0, metavar="ALPHA", help="blend pictures and their classes; 0.2 is usual (0)")
    parser.add_argument("--validation", type=float, default=0.2, metavar="SHARE", help="held out where there is no val (0.2)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(0)")
    _add_loading(parser)
    add_threads(parser)


def _parts(given: argparse.Namespace, steps: Preprocessing) -> tuple[Dataset, Dataset]:
    """Pictures to train on, cut but not yet normalised, and prepared ones to validate on."""
    root = Path(given.data)
    if (root / "train").is_dir() and (root / "val").is_dir():
        train = ImageFolder(root / "train", given.size, steps.channels)
        return train, ImageFolder(root / "val", classes=train.classes, preprocessing=steps)
    whole = ImageFolder(root, given.size, steps.channels)
    train_part, held_out = random_split(whole, given.validation, given.seed)
    if len(train_part) == 0:
        raise InvalidArgumentError(f"{root} has {len(whole)} pictures, and all are held out for validation; more are expected")
    return train_part, Subset(ImageFolder(root, preprocessing=steps), held_out.indices)


def _train(given: argparse.Namespace) -> dict[str, Any]:
    for name, least in (("epochs", 1), ("size", 1), ("seed", 0)):
        if getattr(given, name) < least:
            raise InvalidArgumentError(f"{name} is {getattr(given, name)}; at least {least} is expected")
    channels = 1 if given.grey else 3
    mean, std = ((0.5,), (0.25,)) if given.grey else (IMAGENET_MEAN, IMAGENET_STD)
    steps = Preprocessing(channels, given.size, given.size, "bilinear", mean, std)
    train, valid = _parts(given, steps)
    options: dict[str, Any] = {"in_channels": channels}
    model = create_model(
        given.architecture, num_classes=len(train.classes), seed=given.seed, threads=given.threads, **options
    )
    drawn = [] if given.weights is None else _begin_with(model, given.weights)
    # What cannot be written is said before an hour of training.
    output = Path(given.output)
    output.mkdir(parents=True, exist_ok=True)
    transforms: list[Transform] = [Normalize(mean, std)]
    if not given.no_augmentation:
        transforms = [RandomCrop(max(1, given.size // 8), padding_mode="edge"), RandomHorizontalFlip(), *transforms]
    loader = DataLoader(train, given.batch_size, True, transforms, seed=given.seed, workers=given.workers)
    checked = DataLoader(valid, given.batch_size, workers=given.workers)
    learner = Learner(model, loader, checked, optimizer=given.optimizer, seed=given.seed, mixup=given.mixup)
    fine_tunes = given.weights is not None
    rate = given.lr if given.lr is not None else _found_rate(learner, given.epochs, fine_tunes)
    learner.callbacks.append(CSVLogger(output / "history.csv"))
    history = (learner.fine_tune if fine_tunes else learner.fit_one_cycle)(given.epochs, rate)
    Bundle(model, given.architecture, train.classes, steps, options).save(output)
    return {
        "output": str(output),
        "lr": rate,
        "classes": list(train.classes),
        "drawn_anew": drawn,
        "history": list(history),
    }


def _begin_with(model: Model, path: str) -> list[str]:
    """Loads what fits, such as all but the head; returns the names of the parameters that do not."""
    keys = model.load_weights(path, strict=False, skip_mismatched=True, channels="average")
    drawn = [*keys.missing_keys, *keys.mismatched_keys]
    if len(drawn) >= len(model.parameters()):
        raise MismatchError(f"{path}: fits none of the network's parameters: {', '.join(drawn[:3])}, ...", keys)
    return drawn


def _usual_rate(model: Model, optimizer: str, fine_tunes: bool) -> float:
    """What a short training does well with. Networks without normalisation bear less; plain gradients, which no optimiser
    brings to one size, need more."""
    normalized = any(layer.kind.endswith("_norm") for layer in model.layers())
    rate = FINE_TUNING_RATE if fine_tunes else 3e-3 if normalized else 1e-3
    return 20 * rate if optimizer == "sgd" else rate


def _found_rate(learner: Learner, epochs: int, fine_tunes: bool) -> float:
    """What the finder suggests for what is trained first. Where it would take longer than the training, and a few pictures
    tell it nothing, the usual rate."""
    usual = _usual_rate(learner.model, learner.optimizer, fine_tunes)
    if epochs * len(learner.train) < FINDER_STEPS:
        return usual
    if fine_tunes:
        learner.freeze(except_for=learner.head())
    try:
        return learner.lr_find(steps=FINDER_STEPS).suggestion
    except WrongStateError:
        return usual
    finally:
        learner.unfreeze()


def _show_train(found: dict[str, Any]) -> str:
    rows = [["epoch", "training loss", "validation loss", "accuracy"]]
    for number, row in enumerate(found["history"], 1):
        numbers = [f"{row['train_loss']:.4f}", f"{row['valid_loss']:.4f}", f"{row['valid_accuracy']:.4f}"]
        rows.append([str(number), *numbers])
    drawn = found["drawn_anew"]
    anew = f"drawn anew: {', '.join(drawn[:4])}{', ...' if len(drawn) > 4 else ''}\n" if drawn else ""
    return f"{anew}learning rate {found['lr']:.2e}\n{table(rows, right=range(4))}\nsaved in {found['output']}"


# ---- evaluate


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("data", metavar="DATA", help="a folder with a folder of pictures for each class, by the classes' names")
    _add_loading(parser)


def _evaluate(given: argparse.Namespace) -> dict[str, Any]:
    bundle = open_bundle(given)
    there = sorted(entry.name for entry in Path(given.data).iterdir() if entry.is_dir())
    unknown = sorted(set(there) - set(bundle.classes))
    if unknown or not there:
        raise InvalidArgumentError(f"{given.data} has the folders {there}; classes of the model are expected: {list(bundle.classes)}")
    folder = ImageFolder(given.data, classes=bundle.classes, allow_empty=True, preprocessing=bundle.preprocessing)
    learner = Learner(bundle.model, folder)
    found = learner.evaluate(DataLoader(folder, given.batch_size, workers=given.workers))
    return {"pictures": found.samples, "loss": found.loss, "accuracy": found.accuracy, "top5": found.top5}


def _show_evaluate(found: dict[str, Any]) -> str:
    return (
        f"{found['pictures']} pictures: accuracy {found['accuracy']:.4f}, among the best five {found['top5']:.4f}, "
        f"loss {found['loss']:.4f}"
    )


COMMANDS = [
    Command("predict", "the likeliest classes of pictures", _predict_arguments, _predict, _show_predict),
    Command("train", "a network on a folder of pictures", _train_arguments, _train, _show_train),
    Command("evaluate", "a network's accuracy on a folder of pictures", _evaluate_arguments, _evaluate, _show_evaluate),
]
