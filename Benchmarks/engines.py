"""The engines, each behind the same door: load a network's file, run it on its input.

    python Benchmarks/engines.py ENGINE FOLDER THREADS          does what the lines of its standard input say (compare.py)
    python Benchmarks/engines.py ENGINE FOLDER THREADS BEGIN    one cold start, for a process begun at BEGIN
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable

import numpy as np

#: Where the Python package `sasuka` lies.
PACKAGE = Path(__file__).resolve().parents[1] / "bindings/python"
#: Gives the logits of the network's input.
Run = Callable[[], np.ndarray]


class Missing(Exception):
    """The engine, or its file, is not there, or it cannot run this network; says why."""


def file_of(folder: Path, name: str) -> str:
    if not (folder / name).exists():
        raise Missing(f"{name} was not made: the converter is missing or failed")
    return str(folder / name)


def sasuka(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import sasuka
    from networks import options

    name = network_name(folder)
    model = sasuka.create_model(name, threads=threads, **options(name))
    model.load_weights(file_of(folder, "model.safetensors"))
    # As the others do, which keep what they have packed and no more.
    session = model.session(x.shape, release_weights=True)
    logits = np.empty(session.output_shape, dtype=np.float32)
    return {"Sasuka": lambda: session(x, out=logits)}


def pytorch(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import torch
    from networks import architecture
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_grad_enabled(False)
    model = architecture(network_name(folder))
    # The versions of modules, which a safetensors file does not keep and MNASNet asks for.
    state = OrderedDict(load_file(file_of(folder, "model.safetensors")))
    state._metadata = model.state_dict()._metadata
    model.load_state_dict(state)
    contiguous = torch.from_numpy(x)
    last = contiguous.to(memory_format=torch.channels_last)
    optimized = torch.jit.optimize_for_inference(torch.jit.trace(model, contiguous))
    # Converting a model changes it in place, so the two layouts are two models.
    model_last = architecture(network_name(folder))
    model_last.load_state_dict(model.state_dict())
    model_last.to(memory_format=torch.channels_last)

    return {
        "PyTorch contiguous": lambda: model(contiguous).numpy(),
        "PyTorch channels_last": lambda: model_last(last).numpy(),
        "PyTorch optimize_for_inference": lambda: optimized(contiguous).numpy(),
    }


def onnxruntime(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file_of(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
    return {"ONNX Runtime": lambda: session.run(None, {"input": x})[0]}


def openvino(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    compiled = openvino.Core().compile_model(file_of(folder, "model.xml"), "CPU", settings)
    request = compiled.create_infer_request()
    return {"OpenVINO": lambda: request.infer({0: x}, share_inputs=True, share_outputs=True)[0]}


def ncnn(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import ncnn

    if len(x) != 1:
        raise Missing("it takes one picture at a time")
    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_bf16_packed"):
        setattr(net.opt, option, False)
    net.load_param(file_of(folder, "model.ncnn.param"))
    net.load_model(file_of(folder, "model.ncnn.bin"))
    picture = ncnn.Mat(x[0]).clone()

    def run() -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", picture)
        return np.array(extractor.extract("out0")[1])[None]

    return {"ncnn": run}


def mnn(folder: Path, threads: int, x: np.ndarray) -> dict[str, Run]:
    import MNN

    interpreter = MNN.Interpreter(file_of(folder, "model.mnn"))
    session = interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    to = interpreter.getSessionInput(session)
    interpreter.resizeTensor(to, x.shape)
    interpreter.resizeSession(session)
    given = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)
    logits = np.empty((len(x), 1000), dtype=np.float32)
    out = interpreter.getSessionOutput(session)
    received = MNN.Tensor(logits.shape, MNN.Halide_Type_Float, logits, MNN.Tensor_DimensionType_Caffe)

    def run() -> np.ndarray:
        to.copyFrom(given)
        interpreter.runSession(session)
        out.copyToHostTensor(received)
        return received.getNumpyData().reshape(logits.shape)

    return {"MNN": run}


#: Engine -> its module, and what loads a network.
ENGINES = {
    "Sasuka": ("sasuka", sasuka),
    "PyTorch": ("torch", pytorch),
    "ONNX Runtime": ("onnxruntime", onnxruntime),
    "OpenVINO": ("openvino", openvino),
    "ncnn": ("ncnn", ncnn),
    "MNN": ("MNN", mnn),
}


def network_name(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def turn(run: Run, least: int, seconds: float) -> dict[str, list[float]]:
    """Runs once to fill the caches, then at least `least` times and for `seconds`: wall and processor time of each."""
    run()
    wall: list[float] = []
    processor: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < least or time.perf_counter() < end:
        begin, begin_processor = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - begin)
        processor.append(time.process_time() - begin_processor)
    return {"wall": wall, "processor": processor}


def cold_start(load: Callable[..., dict[str, Run]], folder: Path, threads: int, began: float) -> dict[str, float]:
    """Seconds from the process's start, and from loading, to the first logits; bytes at the peak, a second run included."""
    x = np.load(folder / "input.npy")
    begin, begin_processor = time.monotonic(), time.process_time()
    run = next(iter(load(folder, threads, x).values()))
    run()
    end, processor = time.monotonic(), time.process_time() - begin_processor
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"process": end - began, "load": end - begin, "load processor": processor, "peak": peak}


def serve(load: Callable[..., dict[str, Run]], folder: Path, threads: int, answer: Callable[[Any], None]) -> None:
    """Answers with the files of each variant's logits, and then with the times that are asked for."""
    variants = load(folder, threads, np.load(folder / "input.npy"))
    logits = {}
    for variant, run in variants.items():
        logits[variant] = str(folder / f"logits of {variant}.npy")
        np.save(logits[variant], run())
    answer({"logits": logits})
    for line in sys.stdin:
        asked = json.loads(line)
        answer(turn(variants[asked["variant"]], asked["least"], asked["seconds"]))


def main() -> None:
    name, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    # Engines that print, in C too, do not disturb the conversation.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    sys.path.insert(0, str(PACKAGE))
    module, load = ENGINES[name]
    try:
        importlib.import_module(module)
        if len(sys.argv) > 4:
            answer(cold_start(load, folder, threads, float(sys.argv[4])))
        else:
            serve(load, folder, threads, answer)
    except (Missing, ImportError) as reason:
        answer({"missing": str(reason)})


if __name__ == "__main__":
    main()
