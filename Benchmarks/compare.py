"""Times Sasuka and other engines side by side: same weights, same input, in turn, in one run.

    make bench [NETWORKS="resnet50 vgg16"] [BATCH=1] [THREADS=1] [PEERS="openvino ncnn"]

Each engine is a process of its own, stopped while another has its turn, so that no pool of threads spins in another's
time. Every engine's logits are compared with Sasuka's before anything is timed. Machines are shared: the networks come
in several passes, so that one bad minute is not one network's, a fixed piece of work before and behind every turn says how
disturbed it was, and the tables are of the quieter half of every engine's turns. With one thread all engines, and that
piece of work, have a round on the same processor, and the next round on the next: neighbours disturb one processor and not
the other, and an engine's process would stay where it happened to begin. The tables, as Markdown and JSON, lie in
build/benchmarks.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from disturbance import Disturbance
from engines import ENGINES, PACKAGE
from networks import THIRTEEN

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(PACKAGE))
RESULTS = HERE.parent / "build/benchmarks"
#: Two engines that are each within 1e-4 of the exact logits, relative to the largest, are within twice that of each other.
AGREEMENT = 2e-4
#: Those whose cold start and memory are measured, each from its own file.
COLD = ("Sasuka", "ONNX Runtime", "OpenVINO")
#: The share of an engine's turns that the tables are made of.
QUIET = 0.5
MEASURES = {"wall": "elapsed time", "processor": "processor time"}


def environment(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


class Worker:
    """The process of one engine with one network, stopped unless it is asked something."""

    def __init__(self, engine: str, folder: Path, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", HERE / "engines.py", engine, folder, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(threads),
        )  # fmt: skip
        self.said = self._read()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read().strip().splitlines()
            return {"missing": said[-1] if said else "its process ended"}
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(line)

    def turn(self, variant: str, least: int, seconds: float) -> dict[str, list[float]]:
        self.process.send_signal(signal.SIGCONT)
        print(json.dumps({"variant": variant, "least": least, "seconds": seconds}), file=self.process.stdin, flush=True)
        answer = self._read()
        if "missing" in answer:
            raise SystemExit(f"{variant} failed: {answer['missing']}")
        return answer

    def move(self, processors: set[int]) -> None:
        """Lets it run on these processors only, all its threads."""
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(thread), processors)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def files(name: str, batch: int) -> Path:
    folder = RESULTS / "files" / f"{name}-{batch}"
    # One thread: a converter's pool would spin against whatever else runs.
    command = [sys.executable, "-W", "ignore", HERE / "networks.py", name, str(batch), folder]
    subprocess.run(command, check=True, env=environment(1))
    return folder


def error(logits: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference, relative to the largest magnitude of the reference."""
    return float(abs(logits.astype(np.float64) - reference).max() / abs(reference).max())


def agreeing(folder: Path, workers: dict[str, Worker]) -> tuple[dict[str, Any], dict[str, str]]:
    """Variant -> its engine and errors, without turns yet, of those that agree with Sasuka; and why the others are missing."""
    missing = {engine: worker.said["missing"] for engine, worker in workers.items() if "missing" in worker.said}
    if "Sasuka" in missing:
        raise SystemExit(f"Sasuka cannot run {folder.name}: {missing['Sasuka']}")
    expected = np.load(folder / "expected.npy")
    ours = np.load(workers["Sasuka"].said["logits"]["Sasuka"])
    if not error(ours, expected) <= AGREEMENT / 2:
        raise SystemExit(f"{folder.name}: Sasuka's error is {error(ours, expected):.2e} of the largest logit")
    variants: dict[str, Any] = {}
    for engine, worker in workers.items():
        for variant, path in worker.said.get("logits", {}).items():
            logits = np.load(path)
            difference = error(logits, ours)
            if not difference <= AGREEMENT:
                missing[variant] = f"differs from Sasuka by {difference:.2e} of the largest logit"
                continue
            variants[variant] = {"engine": engine, "error": error(logits, expected), "difference": difference, "turns": []}
    return variants, missing


def steady(folder: Path, chosen: argparse.Namespace, disturbance: Disturbance) -> dict[str, Any]:
    """One pass of a network: every engine's turns, its error against float64 and its difference from Sasuka."""
    workers = {engine: Worker(engine, folder, chosen.threads) for engine in ["Sasuka", *chosen.peers]}
    processors = os.sched_getaffinity(0)
    try:
        variants, missing = agreeing(folder, workers)
        order = list(variants)
        for number in range(chosen.rounds):
            if chosen.threads == 1:
                one = {sorted(processors)[number % len(processors)]}
                os.sched_setaffinity(0, one)
                for engine in {result["engine"] for result in variants.values()}:
                    workers[engine].move(one)
            before = disturbance.now()
            # The order turns as well, so that no engine always follows the same one.
            shift = number % len(order)
            for variant in order[shift:] + order[:shift]:
                found = workers[variants[variant]["engine"]].turn(variant, 3, chosen.seconds)
                after = disturbance.now()
                variants[variant]["turns"].append({"disturbance": max(before, after), **found})
                before = after
        return {"engines": variants, "missing": missing}
    finally:
        os.sched_setaffinity(0, processors)
        for worker in workers.values():
            worker.end()


def joined(passes: list[dict[str, Any]]) -> dict[str, Any]:
    """The passes of one network as one: all turns of the engines that ran in every pass."""
    first, *others = passes
    missing = dict(pair for each in passes for pair in each["missing"].items())
    engines = {}
    for variant, result in first["engines"].items():
        if all(variant in each["engines"] for each in others):
            turns = result["turns"] + [turn for each in others for turn in each["engines"][variant]["turns"]]
            engines[variant] = {**result, "turns": turns}
    return {"engines": engines, "missing": missing}


def cold(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Medians of processes that each load a network and run it once, the engines in turn."""
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in COLD}
    for _ in range(chosen.cold):
        for engine in COLD:
            command = [sys.executable, "-W", "ignore", HERE / "engines.py", engine, folder, str(chosen.threads)]
            done = subprocess.run(
                [*command, repr(time.monotonic())], capture_output=True, text=True, env=environment(chosen.threads)
            )
            said = json.loads(done.stdout or '{"missing": "its process ended"}')
            if "missing" in said:
                print(f"no cold start of {engine}: {said['missing']}", file=sys.stderr)
            else:
                found[engine].append(said)
    return {
        engine: {what: statistics.median(run[what] for run in runs) for what in runs[0]}
        for engine, runs in found.items()
        if runs
    }


def median(result: dict[str, Any], clock: str, share: float) -> float:
    """Milliseconds of a run, over this share of the turns: the least disturbed."""
    turns = sorted(result["turns"], key=lambda turn: turn["disturbance"])
    kept = turns[: max(1, math.ceil(len(turns) * share))]
    return statistics.median(time for turn in kept for time in turn[clock]) * 1e3


def summary(network: dict[str, Any], clock: str, share: float = QUIET) -> dict[str, float]:
    """Engine -> median in milliseconds, the fastest of PyTorch's three ways standing for PyTorch."""
    best: dict[str, float] = {}
    for result in network["engines"].values():
        time = median(result, clock, share)
        best[result["engine"]] = min(best.get(result["engine"], math.inf), time)
    return best


def fastest_peer(best: dict[str, float]) -> tuple[str, float] | None:
    """The fastest of the others, and its time divided by Sasuka's; None where Sasuka ran alone."""
    peers = {engine: time for engine, time in best.items() if engine != "Sasuka"}
    if not peers:
        return None
    fastest = min(peers, key=peers.get)
    return fastest, peers[fastest] / best["Sasuka"]


def mean_ratio(networks: dict[str, Any], clock: str, share: float) -> float | None:
    """The geometric mean of the networks' ratios; None where Sasuka ran alone."""
    found = [fastest_peer(summary(network, clock, share)) for network in networks.values()]
    ratios = [each[1] for each in found if each]
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


def steady_table(networks: dict[str, Any], clock: str) -> list[str]:
    engines = [engine for engine in ENGINES if any(engine in summary(each, clock) for each in networks.values())]
    lines = [
        "| network | " + " | ".join(engines) + " | fastest peer | ratio |",
        "|---|" + "---:|" * len(engines) + "---|---:|",
    ]
    for name, network in networks.items():
        best = summary(network, clock)
        cells = [f"{best[engine]:.2f}" if engine in best else "" for engine in engines]
        fastest = fastest_peer(best)
        lines.append(
            f"| {name} | {' | '.join(cells)} | {fastest[0] if fastest else ''} | {f'{fastest[1]:.2f}' if fastest else ''} |"
        )
    mean = mean_ratio(networks, clock, QUIET)
    if mean:
        lines.append(f"| geometric mean |{' |' * len(engines)} | {mean:.2f} |")
        lines += ["", f"Over all turns, the disturbed ones too, the geometric mean is {mean_ratio(networks, clock, 1):.2f}."]
    return lines


def cold_table(networks: dict[str, Any]) -> list[str]:
    engines = [engine for engine in COLD if any(engine in each["cold"] for each in networks.values())]
    columns = [f"{engine}: {what}" for engine in engines for what in ("load", "processor", "process", "peak")]
    lines = ["| network | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, network in networks.items():
        cells = []
        for engine in engines:
            found = network["cold"].get(engine)
            if found:
                times = [found[what] * 1e3 for what in ("load", "load processor", "process")]
                cells += [f"{number:.0f}" for number in [*times, found["peak"] / 1e6]]
            else:
                cells += [""] * 4
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def markdown(report: dict[str, Any]) -> str:
    networks, machine = report["networks"], report["machine"]
    lines = [
        f"{machine['processor']}, {machine['instruction set']}, {machine['processors']} processors; batch {report['batch']}, "
        f"{report['threads']} thread(s); {', '.join(f'{name} {version}' for name, version in report['versions'].items())}.",
        "",
    ]
    for clock, meaning in MEASURES.items():
        # With one thread, processor time leaves out what other programs took; with more it counts waiting threads too.
        if clock == "processor" and report["threads"] > 1:
            continue
        title = (
            f"Milliseconds of {meaning}, median over the quieter half of the turns; ratio: the fastest peer's time divided by "
            "Sasuka's."
        )
        lines += [title, "", *steady_table(networks, clock), ""]
    if any(each["cold"] for each in networks.values()):
        lines += [
            "Cold start from each engine's own file, in the page cache: milliseconds from loading to the first logits, the "
            "processor time of that, milliseconds from the start of the process (Python and its imports included), and the "
            "process's peak memory in MB. Sasuka's session releases the model's own weights, as the others do.",
            "", *cold_table(networks), "",
        ]  # fmt: skip
    lines += ["Error of the logits against float64, relative to the largest, and what did not run:", ""]
    for name, network in networks.items():
        errors = [f"{variant} {result['error']:.1e}" for variant, result in network["engines"].items()]
        missing = [f"no {engine} ({reason})" for engine, reason in network["missing"].items()]
        lines.append(f"- {name}: {', '.join(errors + missing)}")
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    import sasuka

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")
    return {"processor": name, "processors": os.cpu_count(), "instruction set": sasuka.instruction_set()}


def versions() -> dict[str, str]:
    import sasuka

    found = {"sasuka": sasuka.__version__}
    for package in ("torch", "onnxruntime", "openvino", "ncnn", "MNN"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=THIRTEEN, metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    peers = {engine.replace(" ", "").lower(): engine for engine in ENGINES if engine != "Sasuka"}
    parser.add_argument("--peers", nargs="*", default=list(peers), choices=list(peers), metavar="ENGINE",
                        help="of " + ", ".join(peers))  # fmt: skip
    parser.add_argument("--passes", type=int, default=3, help="times that all networks come, one after another")
    parser.add_argument("--rounds", type=int, default=4, help="turns that every engine has in a pass")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a turn, of three runs at least")
    parser.add_argument("--cold", type=int, default=3, help="cold starts of each engine; 0: none")
    chosen = parser.parse_args()
    chosen.peers = [peers[peer.lower()] for peer in chosen.peers]

    report: dict[str, Any] = {
        "machine": machine(), "versions": versions(), "batch": chosen.batch, "threads": chosen.threads, "networks": {}
    }  # fmt: skip
    place = RESULTS / f"batch{chosen.batch}-threads{chosen.threads}"
    passes: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen.networks}
    disturbance = Disturbance()
    for number in range(chosen.passes):
        for name in chosen.networks:
            folder = files(name, chosen.batch)
            passes[name].append(steady(folder, chosen, disturbance))
            found = cold(folder, chosen) if number == 0 else report["networks"][name]["cold"]
            report["networks"][name] = {**joined(passes[name]), "cold": found}
            best = summary(report["networks"][name], "wall")
            times = ", ".join(f"{engine} {time:.2f} ms" for engine, time in best.items())
            print(f"pass {number + 1} of {chosen.passes}: {name}: {times}", file=sys.stderr, flush=True)
            place.with_suffix(".json").write_text(json.dumps(report, indent=1))
            place.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))
    print(f"written: {place}.md and {place}.json", file=sys.stderr)


if __name__ == "__main__":
    main()
