"""What should cost nothing: denormal numbers, a second session beside the first, pictures in a batch instead of one by one. And
what costs little: a pause before a call, from which the threads wake.

    PYTHONPATH=bindings/python .venv/bin/python Benchmarks/manners.py [NETWORK ...] [--threads 1 2] [--batch 8] [--runs 9]

What is compared runs in turn, and of each the least time counts. With one thread that is the time that the thread computed,
whatever else runs on the machine; with more it is elapsed time. Of calls after a pause it is the median of the elapsed times.
"""

from __future__ import annotations

import argparse
import threading
import time
from typing import Callable

import numpy as np

import sasuka

SIDE = {"inception_v3": 299}


def pictures(name: str, batch: int) -> np.ndarray:
    side = SIDE.get(name, 224)
    return np.random.default_rng(0).standard_normal((batch, 3, side, side), dtype=np.float32)


def least(calls: dict[str, Callable[[], object]], runs: int, threads: int) -> dict[str, float]:
    """Milliseconds of each call, in turn."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    found = {name: float("inf") for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            begun = clock()
            call()
            if run:
                found[name] = min(found[name], (clock() - begun) * 1e3)
    return found


def runner(session: sasuka.Session, x: np.ndarray) -> Callable[[], object]:
    out = np.empty(session.output_shape, dtype=np.float32)
    return lambda: session(x, out)


def denormals(name: str, threads: int, runs: int) -> dict[str, float]:
    """A forward pass with usual numbers, and one where every other weight and every other pixel is denormal."""
    x, calls = pictures(name, 1), {}
    for kind in ("usual", "denormal"):
        model = sasuka.create_model(name, seed=1, threads=threads)
        given = x.copy()
        if kind == "denormal":
            given.reshape(-1)[::2] = 1e-39
            state = model.state_dict()
            for array in state.values():
                if array.ndim > 1:
                    array.reshape(-1)[::2] = 1e-39
            model.load_state_dict(state)
        calls[kind] = runner(model.session(x.shape), given)
    return least(calls, runs, threads)


def batches(name: str, batch: int, threads: int, runs: int) -> dict[str, float]:
    """For each picture: one by one, and in a batch."""
    model, x = sasuka.create_model(name, seed=1, threads=threads), pictures(name, batch)
    one, all_ = runner(model.session(x[:1].shape), x[:1]), runner(model.session(x.shape), x)
    # As many pictures in a turn, so that neither is timed in rarer quiet moments.
    found = least({"one": lambda: [one() for _ in range(batch)], "batch": all_}, runs, threads)
    return {kind: value / batch for kind, value in found.items()}


def pauses(name: str, threads: int, runs: int, seconds: float = 0.03) -> dict[str, float]:
    """Milliseconds of calls one behind the other, and of calls with pauses between them: of a film's pictures, and a camera's."""
    model, x = sasuka.create_model(name, seed=1, threads=threads), pictures(name, 1)
    call = runner(model.session(x.shape), x)
    call()
    found = {}
    for kind, pause in (("at once", 0.0), ("after a pause", seconds)):
        times = []
        for _ in range(3 * runs):
            time.sleep(pause)
            begun = time.perf_counter()
            call()
            times.append((time.perf_counter() - begun) * 1e3)
        found[kind] = float(np.median(times))
    return found


def side_by_side(name: str, runs: int) -> dict[str, float]:
    """Time of one session of one thread, alone and while another computes in another thread."""
    model, x = sasuka.create_model(name, seed=1, threads=1), pictures(name, 1)
    first, second = (runner(model.session(x.shape), x) for _ in range(2))
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            second()

    found = {"alone": float("inf"), "beside": float("inf")}
    first()
    second()
    for _ in range(runs):
        for kind in found:
            stop.clear()
            other = threading.Thread(target=compute)
            if kind == "beside":
                other.start()
            for _ in range(3):
                begun = time.thread_time()
                first()
                found[kind] = min(found[kind], (time.thread_time() - begun) * 1e3)
            stop.set()
            if kind == "beside":
                other.join()
    return found


def row(what: str, name: str, threads: int, found: dict[str, float]) -> None:
    (first, before), (second, after) = found.items()
    print(f"| {what} | {name} | {threads} | {before:.2f} ({first}) | {after:.2f} ({second}) | {after / before:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=["resnet50", "mobilenet_v2", "vgg16"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", choices=["denormals", "batches", "pauses", "sessions"])
    given = parser.parse_args()
    print("| what | network | threads | ms | ms | ratio |\n|---|---|---|---|---|---|")
    for name in given.networks:
        for threads in given.threads:
            if given.only in (None, "denormals"):
                row("denormal numbers", name, threads, denormals(name, threads, given.runs))
            if given.only in (None, "batches"):
                row(f"batch of {given.batch}", name, threads, batches(name, given.batch, threads, given.runs))
            if given.only in (None, "pauses"):
                row("a pause", name, threads, pauses(name, threads, given.runs))
        if given.only in (None, "sessions"):
            row("a second session", name, 1, side_by_side(name, given.runs))


if __name__ == "__main__":
    main()
