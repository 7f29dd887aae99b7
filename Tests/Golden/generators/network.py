"""A small residual network: logits, gradients, and its state after three steps of training."""

import copy

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from .store import as_float64, random_stream

CLASSES = 5
STEM, WIDTH = 8, 20
SGD = dict(lr=0.05, momentum=0.9, weight_decay=0.001)
STEPS = 3


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(STEM, WIDTH, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(WIDTH)
        self.downsample = nn.Sequential(nn.Conv2d(STEM, WIDTH, 1, stride=2, bias=False), nn.BatchNorm2d(WIDTH))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.layer1 = Block()
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.layer1(F.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def fill(network, stream):
    """Values exact in float32; running statistics away from 0 and 1, or evaluation would test nothing."""
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_mean"):
            drawn = stream.uniform(-0.1, 0.1, value.shape)
        elif name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            drawn = stream.uniform(0.8, 1.2, value.shape)
        else:
            fan_in = value[0].numel() if value.dim() > 1 else 100
            drawn = stream.standard_normal(value.shape) * (2 / fan_in) ** 0.5
        value.copy_(as_float64(drawn))


def add_cases(store):
    stream = random_stream("network")
    network = Network().double()
    with torch.no_grad():
        fill(network, stream)
    images = as_float64(stream.standard_normal((4, 3, 17, 15)))
    labels = torch.from_numpy(stream.randint(0, CLASSES, 4).astype(numpy.int32))
    tensors = {"input": images, "labels": labels, **state("initial", network)}
    tensors["logits_evaluation"] = network.eval()(images).detach()
    initial = copy.deepcopy(network)
    tensors.update(class_gradients(copy.deepcopy(initial), images, labels))
    tensors.update(transfer(copy.deepcopy(initial), images, labels))
    tensors.update(groups(copy.deepcopy(initial), images, labels))

    network.train()
    optimizer = torch.optim.SGD(network.parameters(), **SGD)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = network(images)
        loss = F.cross_entropy(logits, labels.long())
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            tensors["logits_training"] = logits.detach()
            tensors.update({f"gradient.{name}": p.grad.clone() for name, p in network.named_parameters()})
        optimizer.step()
    tensors["losses"] = torch.stack(losses)
    tensors.update(state("trained", network))
    tensors["logits_evaluation_trained"] = network.eval()(images).detach()
    attributes = dict(classes=CLASSES, stem=STEM, width=WIDTH, steps=STEPS, optimizer="sgd", **SGD)
    store.add("network/residual", "network", attributes, tensors)


def class_gradients(network, images, labels):
    """In evaluation mode, of the sum of each picture's logit of its label."""
    images.requires_grad_()
    features = F.relu(network.bn1(network.conv1(images)))
    block = network.layer1(features)
    block.retain_grad()
    network.fc(block.mean((2, 3))).gather(1, labels.long()[:, None]).sum().backward()
    found = {"class_gradient.layer1": block.grad.clone(), "class_gradient.input": images.grad.clone()}
    images.requires_grad_(False)
    images.grad = None
    return found


def train(network, groups, images, labels):
    """Three steps; the network is in the mode in which it comes."""
    optimizer = torch.optim.SGD(groups, **SGD)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images), labels.long())
        loss.backward()
        losses.append(loss.detach())
        optimizer.step()
    return torch.stack(losses)


def transfer(network, images, labels):
    """Everything but the head frozen, and in evaluation mode."""
    network.eval().requires_grad_(False)
    network.fc.requires_grad_(True)
    losses = train(network, network.fc.parameters(), images, labels)
    return {"transfer.losses": losses, "transfer.fc.weight": network.fc.weight.detach().clone()}


def groups(network, images, labels):
    """Layers trained at rates of their own, conv1 not at all, and layer1.bn1 in evaluation mode."""
    network.train()
    network.layer1.bn1.eval()
    network.conv1.requires_grad_(False)
    own = [
        dict(params=network.bn1.parameters(), lr=0.01 * SGD["lr"]),
        dict(params=network.layer1.parameters(), lr=0.1 * SGD["lr"], weight_decay=0.1),
        dict(params=network.fc.parameters()),
    ]
    losses = train(network, own, images, labels)
    after = network.state_dict()
    names = ["bn1.weight", "bn1.running_mean", "layer1.conv1.weight", "layer1.bn1.weight", "layer1.bn1.running_mean",
             "layer1.bn2.running_var", "fc.weight"]
    return {"groups.losses": losses, **{f"groups.{name}": after[name].detach().clone() for name in names}}


def state(prefix, network):
    return {f"{prefix}.{name}": value.detach().clone() for name, value in network.state_dict().items()}
