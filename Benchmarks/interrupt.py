"""How long Ctrl-C takes: from the signal to KeyboardInterrupt in the caller, in the middle of long calls.

With one thread, what the main thread computes in between is measured as well: that is the time on an idle machine, whatever
else runs on this one.

    PYTHONPATH=bindings/python .venv/bin/python Benchmarks/interrupt.py [--tries 10]
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from typing import Callable

import numpy as np

import sasuka


def latency(work: Callable[[], object], delay: float) -> tuple[float, float]:
    """Seconds from the signal, sent `delay` seconds of computing after the work began, to the exception: elapsed, and computed
    by this thread. NaN where the work was done before."""
    clock = time.pthread_getcpuclockid(threading.get_ident())
    begun, sent = time.clock_gettime(clock), (0.0, 0.0)

    def send() -> None:
        nonlocal sent
        while time.clock_gettime(clock) - begun < delay:
            time.sleep(0.002)
            if done.is_set():
                return
        sent = time.perf_counter(), time.clock_gettime(clock)
        os.kill(os.getpid(), signal.SIGINT)

    done = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    try:
        work()
    except KeyboardInterrupt:
        return time.perf_counter() - sent[0], time.clock_gettime(clock) - sent[1]
    finally:
        done.set()
        sender.join()
    return float("nan"), float("nan")


def cases() -> dict[str, Callable[[], object]]:
    random = np.random.default_rng(0)
    pictures = random.standard_normal((16, 3, 224, 224)).astype(np.float32)
    labels = random.integers(0, 1000, len(pictures))
    resnet = sasuka.create_model("resnet18", threads=1)
    trainer = sasuka.Trainer(resnet, lr=1e-4)
    session = resnet.session(pictures.shape)
    learner = sasuka.Learner(resnet, (pictures, labels), batch_size=8, lr=1e-4, progress=False)
    vgg = sasuka.create_model("vgg16", threads=1)

    def first() -> None:
        """Compiles, packs 138 million weights, and runs."""
        for _ in range(20):
            vgg.session((1, 3, 224, 224))(pictures[:1])

    return {
        "vgg16's first picture": first,
        "model(x), resnet18, batch 16": lambda: [resnet(pictures) for _ in range(50)],
        "session(x), resnet18, batch 16": lambda: [session(pictures) for _ in range(50)],
        "Trainer.step, resnet18, batch 16": lambda: [trainer.step(pictures, labels) for _ in range(50)],
        "Trainer.evaluate, resnet18, batch 16": lambda: [trainer.evaluate(pictures, labels) for _ in range(50)],
        "Learner.fit, resnet18, batch 8": lambda: learner.fit(50),
        "Learner.lr_find, resnet18, batch 8": lambda: learner.lr_find(),
        "Learner.predict, resnet18, batch 8": lambda: [learner.predict(pictures) for _ in range(50)],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=10)
    tries = parser.parse_args().tries
    # Shells let what they start in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random = np.random.default_rng(1)
    print("ms from the signal to KeyboardInterrupt:" + f"{'computed':>18}{'elapsed':>18}\n{'':36}" + "  median     most" * 2)
    for name, work in cases().items():
        found = np.array([latency(work, random.uniform(0.1, 1.5)) for _ in range(tries)]) * 1e3
        found = found[~np.isnan(found[:, 0])]
        columns = "".join(f"{np.median(found[:, place]):9.1f}{found[:, place].max():9.1f}" for place in (1, 0)) if len(found) else ""
        print(f"{name:36}{columns}  {len(found)} of {tries} interrupted", flush=True)


if __name__ == "__main__":
    main()
