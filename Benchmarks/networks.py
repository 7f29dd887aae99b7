"""Makes one network's files for every engine: the same weights, drawn from a seed, in each engine's own format.

    python Benchmarks/networks.py NAME BATCH FOLDER

FOLDER then holds input.npy, expected.npy (the logits in float64, by PyTorch), model.safetensors (Sasuka, PyTorch),
model.onnx (ONNX Runtime), model.xml (OpenVINO), model.ncnn.param and model.mnn, where their converters are installed.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

THIRTEEN = (
    "alexnet vgg16 resnet18 resnet50 wide_resnet50_2 resnext50_32x4d densenet121 inception_v3 googlenet "
    "squeezenet1_1 mobilenet_v2 shufflenet_v2_x1_0 mnasnet1_0"
).split()
SEED = 2026
#: Written last: a folder without it is not complete, one with another number was made by another version of this file.
STAMP, VERSION = "made.txt", "2"


def side(name: str) -> int:
    """Height and width of the pictures that a network was made for."""
    return 299 if name == "inception_v3" else 224


def options(name: str) -> dict[str, bool]:
    """What the network is made with: as torchvision gives published weights, without heads that only training needs."""
    return {"aux_logits": False} if name in ("inception_v3", "googlenet") else {}


@functools.lru_cache(maxsize=None)
def import_torchvision() -> Any:
    """torchvision, whose networks need two schemas that its compiled operators would have brought."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "qnms(Tensor dets, Tensor scores, float iou_threshold, float dets_scale, int dets_zero_point) -> Tensor"
    )
    import torchvision

    torchvision.schemas = library  # lives as long as the module
    return torchvision


def architecture(name: str) -> Any:
    """A torchvision network in evaluation mode, its numbers not drawn yet."""
    torchvision = import_torchvision()
    quick = {"init_weights": False} if options(name) else {}
    return torchvision.models.get_model(name, weights=None, **quick, **options(name)).eval()


def fill(model: Any) -> None:
    """Weights by He et al. (2015); BatchNorm's statistics far enough from 0 and 1 that leaving them out would show."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, values in model.state_dict().items():
            if values.dim() > 1:
                values.normal_(0, (2 / values[0].numel()) ** 0.5, generator=generator)
            elif name.endswith("running_var"):
                values.uniform_(0.8, 1.2, generator=generator)
            elif name.endswith("weight"):
                values.uniform_(0.5, 1.5, generator=generator)
            elif values.is_floating_point():
                values.uniform_(-0.1, 0.1, generator=generator)


def temper(model: Any, x: Any) -> None:
    """Scales what gates of squeeze and excitation make of `x` so that it spreads as 1 does. Residual blocks add up to thousands, of
    which a sigmoid is a step, that makes of a rounding more than engines may differ by."""
    import torch

    def scale(layer: Any, _: Any, logits: Any) -> Any:
        spread = logits.std()
        layer.weight /= spread
        layer.bias /= spread
        return logits / spread

    hooks = [layer.register_forward_hook(scale) for name, layer in model.named_modules() if name.endswith(".fc2")]
    if hooks:
        with torch.no_grad():
            model(x)
    for hook in hooks:
        hook.remove()


def make(name: str, batch: int, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    model = architecture(name)
    fill(model)
    x = torch.randn(batch, 3, side(name), side(name), generator=torch.Generator().manual_seed(SEED))
    temper(model, x)
    save_file(model.state_dict(), folder / "model.safetensors")
    np.save(folder / "input.npy", x.numpy())
    onnx = folder / "model.onnx"
    torch.onnx.export(
        model, (x,), onnx, opset_version=13, dynamo=False, input_names=["input"], output_names=["logits"], verbose=False
    )
    convert_to_openvino(onnx, folder / "model.xml")
    convert_to_ncnn(model, x, folder)
    convert_to_mnn(onnx, folder / "model.mnn")
    with torch.inference_mode():
        np.save(folder / "expected.npy", model.double()(x.double()).numpy())


def convert_to_openvino(onnx: Path, xml: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(onnx), xml, compress_to_fp16=False)


def convert_to_ncnn(model: Any, x: Any, folder: Path) -> None:
    """By its own converter, which writes model.ncnn.param and model.ncnn.bin beside the TorchScript file."""
    try:
        import pnnx
    except ImportError:
        return
    import torch

    traced = folder / "model.pt"
    torch.jit.trace(model, x).save(traced)
    shape = ",".join(map(str, x.shape))
    subprocess.run(
        [pnnx.EXEC_PATH, traced.name, f"inputshape=[{shape}]f32", "fp16=0"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for rest in [traced, *folder.glob("*.pnnx.*"), *folder.glob("model_*.py"), *folder.glob("*pnnx.py")]:
        rest.unlink(missing_ok=True)


def convert_to_mnn(onnx: Path, mnn: Path) -> None:
    converter = Path(sys.executable).with_name("mnnconvert")
    if converter.exists():
        subprocess.run(
            [converter, "-f", "ONNX", "--modelFile", onnx, "--MNNModel", mnn, "--bizCode", "benchmark"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def main() -> None:
    name, batch, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    stamp, version = folder / STAMP, f"{VERSION} {options(name) or ''}".strip()
    if stamp.exists() and stamp.read_text() == version:
        return
    print(f"making {folder}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    make(name, batch, folder)
    stamp.write_text(version)


if __name__ == "__main__":
    main()
