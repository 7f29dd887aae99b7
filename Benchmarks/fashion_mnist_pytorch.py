"""The network of Examples/resnet20.c trained by PyTorch as Examples/fashion_mnist.c does it: time per epoch and accuracy.

Usage: python fashion_mnist_pytorch.py FOLDER [--epochs 3] [--threads 2] [--seed 1] [--steps N]
Needs PyTorch and NumPy in an environment outside the tree; FOLDER is what Scripts/fetch-fashion-mnist.sh prints.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

BATCH, SIDE, SHIFT = 128, 28, 1


def read_idx(path: Path, rank: int) -> np.ndarray:
    data = path.read_bytes()
    sizes = np.frombuffer(data, ">u4", rank, 4).astype(int)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(sizes)


def convolution_and_norm(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after)
    )


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first = convolution_and_norm(before, after, 3, stride)
        self.second = convolution_and_norm(after, after, 3, 1)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else convolution_and_norm(before, after, 1, stride)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def resnet20() -> nn.Sequential:
    layers = [convolution_and_norm(1, 16, 3, 1), nn.ReLU()]
    before = 16
    for stage, after in enumerate((16, 32, 64)):
        for block in range(3):
            layers.append(Block(before, after, 2 if stage > 0 and block == 0 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def normalised(pixels: np.ndarray) -> np.ndarray:
    return (pixels.astype(np.float32) / 255 - 0.2860) / 0.3530


def augmented(pictures: np.ndarray, random: np.random.Generator) -> torch.Tensor:
    """Shifted by up to one pixel each way and, every other time, mirrored."""
    count = len(pictures)
    padded = np.pad(pictures, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    rows = random.integers(0, 2 * SHIFT + 1, (count, 1, 1)) + np.arange(SIDE)[None, :, None]
    columns = random.integers(0, 2 * SHIFT + 1, (count, 1, 1)) + np.arange(SIDE)[None, None, :]
    mirrored = random.random((count, 1, 1)) < 0.5
    columns = np.where(mirrored, columns[:, :, ::-1], columns)
    return torch.from_numpy(normalised(padded[np.arange(count)[:, None, None], rows, columns])[:, None])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="stop after so many steps: speed only")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    random = np.random.default_rng(chosen.seed)

    images = read_idx(chosen.folder / "train-images-idx3-ubyte", 3)
    labels = torch.from_numpy(read_idx(chosen.folder / "train-labels-idx1-ubyte", 1).astype(np.int64))
    per_epoch = len(images) // BATCH
    model = resnet20().train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=per_epoch * chosen.epochs, cycle_momentum=False
    )
    print(f"PyTorch {torch.__version__}, {chosen.threads} threads, {torch.backends.cpu.get_cpu_capability()}")

    for epoch in range(chosen.epochs):
        order = random.permutation(len(images))
        begin, losses = time.perf_counter(), 0.0
        steps = min(per_epoch, chosen.steps or per_epoch)
        for step in range(steps):
            picked = order[step * BATCH : (step + 1) * BATCH]
            loss = nn.functional.cross_entropy(model(augmented(images[picked], random)), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item()
        elapsed = time.perf_counter() - begin
        print(
            f"epoch {epoch + 1}: {elapsed:.1f} s, {steps * BATCH / elapsed:.0f} pictures/s, "
            f"loss {losses / steps:.4f}",
            flush=True,
        )
        if chosen.steps:
            return

    tests = torch.from_numpy(normalised(read_idx(chosen.folder / "t10k-images-idx3-ubyte", 3))[:, None])
    truth = torch.from_numpy(read_idx(chosen.folder / "t10k-labels-idx1-ubyte", 1).astype(np.int64))
    model.eval()
    with torch.inference_mode():
        correct = sum(int((model(x).argmax(1) == y).sum()) for x, y in zip(tests.split(250), truth.split(250)))
    print(f"test accuracy {correct / len(truth):.4f} ({correct} of {len(truth)})")


if __name__ == "__main__":
    main()
