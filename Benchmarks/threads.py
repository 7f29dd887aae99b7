"""Whether inference in Python threads scales: each thread has a session of its own, and the interpreter is free during calls.

    PYTHONPATH=bindings/python .venv/bin/python Benchmarks/threads.py [--network resnet18] [--threads 2] [--seconds 2] [--rounds 5]

Pictures a second of one thread, of several, and of as many processes, which have an interpreter each and so show what the
machine can do at the time; all take turns. Of a machine that is busy otherwise only the last ratio says something.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
from typing import Any

import numpy as np


def run(session: Any, ready: Any, seconds: float) -> int:
    """Pictures that a session answers."""
    x = np.zeros((1, 3, 224, 224), dtype=np.float32)
    session(x)
    ready.wait()
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        session(x)
        done += 1
    return done


def new_sessions(network: str, count: int) -> list[Any]:
    """Of one model."""
    import sasuka

    model = sasuka.create_model(network, threads=1)
    return [model.session((1, 3, 224, 224), threads=1) for _ in range(count)]


def by_threads(network: str, count: int, seconds: float) -> float:
    sessions = new_sessions(network, count)
    ready, done = threading.Barrier(count), [0] * count

    def work(number: int) -> None:
        done[number] = run(sessions[number], ready, seconds)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


def _process(network: str, ready: Any, seconds: float, answers: Any) -> None:
    answers.put(run(new_sessions(network, 1)[0], ready, seconds))


def by_processes(network: str, count: int, seconds: float) -> float:
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_process, args=(network, ready, seconds, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    total = sum(answers.get() for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures a second of Python threads with a session each.")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rounds = np.array(
        [
            [
                by_threads(given.network, 1, given.seconds),
                by_threads(given.network, given.threads, given.seconds),
                by_processes(given.network, given.threads, given.seconds),
            ]
            for _ in range(given.rounds)
        ]
    )
    print(f"{given.network}, pictures a second, median of {given.rounds} rounds of {given.seconds:g} s")
    one, several, processes = np.median(rounds, axis=0)
    print(f"1 thread     {one:8.1f}")
    print(f"{given.threads} threads    {several:8.1f}  {np.median(rounds[:, 1] / rounds[:, 0]):.2f} of one thread")
    print(f"{given.threads} processes  {processes:8.1f}  threads are {np.median(rounds[:, 1] / rounds[:, 2]):.2f} of them")


if __name__ == "__main__":
    main()
