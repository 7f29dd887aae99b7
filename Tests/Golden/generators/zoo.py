"""torchvision's networks with weights that both sides compute: logits, what modules give, gradients, training.

A tensor of a million numbers is stored as its norm and its sums with random signs: the difference of two tensors changes
such a sum by about the norm of the difference.
"""

import os

import numpy
import torch
import torch.nn.functional as F
from torch import nn

CLASSES, BATCH, STEPS, SIGNS = 10, 4, 3, 2
SGD = dict(lr=0.001, momentum=0.9, weight_decay=0.001)
DEFAULT_SIZE = 64
# Inception v3 trains its auxiliary head from about 293 pixels on.
SIZES = {"alexnet": 67, "inception_v3": 299, "vgg": 32}
"""At least one of each family has its native size, for logits alone where training would take long."""
NATIVE = ("alexnet vgg11 resnet18 squeezenet1_1 densenet121 googlenet inception_v3 shufflenet_v2_x1_0 mobilenet_v2 "
          "mobilenet_v3_small mnasnet0_5 efficientnet_b0 regnet_y_400mf regnet_x_400mf").split()
"""Those whose modules are compared one by one."""
OBSERVED = NATIVE
CHOICES = {
    "googlenet": dict(dropout=0.0, dropout_aux=0.0, transform_input=True, aux_logits=True),
    "inception_v3": dict(dropout=0.0, transform_input=True, aux_logits=True),
    "resnet34": dict(zero_init_residual=True),
    "mobilenet_v2": dict(dropout=0.0, width_mult=0.75),
}
WITH_DROPOUT = ("alexnet", "vgg", "squeezenet", "mobilenet", "mnasnet", "efficientnet")
AUXILIARY = {"googlenet": 0.3, "inception_v3": 0.4}
"""Larger networks are compared without training, all but one: the double precision of PyTorch takes minutes for each."""
MOST_TRAINED, TRAINED_ANYWAY = 70_000_000, "vgg11"
"""Those that are compared so far. The others wait for pictures on which float32 and float64 agree about every maximum:
on the three draws tried, PyTorch's own gradients in float32 were up to 3 % off for some of them."""
COMPARED = ("alexnet densenet121 densenet161 densenet169 densenet201 efficientnet_b0 efficientnet_b1 "
            "efficientnet_b2 efficientnet_b3 efficientnet_b6 squeezenet1_0 mobilenet_v3_large resnet18 resnet34").split()
"""Pictures tried for each network; a large one has so many ReLUs that no draw differs from another."""
DRAWS, WELL_CONDITIONED, SMALL = 3, 5e-4, 25_000_000


def hashed(name, count, start=0):
    """64 random bits for each index: SplitMix64 (Steele et al. 2014) of an FNV-1a hash of the name plus the index."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & (1 << 64) - 1
    x = numpy.arange(start + 1, start + count + 1, dtype=numpy.uint64)
    x *= numpy.uint64(0x9E3779B97F4A7C15)
    x += numpy.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x ^= x >> numpy.uint64(shift)
        x *= numpy.uint64(factor)
    return x ^ (x >> numpy.uint64(31))


def in_pieces(count, size=1 << 22):
    return ((start, min(size, count - start)) for start in range(0, count, size))


def uniform(name, shape, low, high):
    """float32 numbers in [low, high), with the rounding that the other side has too."""
    result = numpy.empty(int(numpy.prod(shape, dtype=numpy.int64)), numpy.float32)
    for start, count in in_pieces(result.size):
        unit = (hashed(name, count, start) >> numpy.uint64(40)).astype(numpy.float32) * numpy.float32(2.0**-24)
        result[start : start + count] = numpy.float32(low) + numpy.float32(high - low) * unit
    return result.reshape(shape)


def value(name, shape, is_norm):
    if name.endswith("running_mean"):
        return uniform(name, shape, -0.5, 0.5)
    if name.endswith("running_var"):
        return uniform(name, shape, 0.5, 2.0)
    if len(shape) > 1:
        bound = float(numpy.float32(numpy.sqrt(6.0 / numpy.prod(shape[1:]))))
        return uniform(name, shape, -bound, bound)
    if not is_norm:
        return uniform(name, shape, -0.25, 0.25)
    if name.endswith("weight"):
        return uniform(name, shape, 0.1, 0.3)
    # Far from the kink of the ReLU behind it: there float32 may fall on the other side, and the gradient jumps.
    drawn = uniform(name, shape, -1.0, 1.0)
    return drawn + numpy.copysign(numpy.float32(0.5), drawn)


def fill(network):
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                owner = network.get_submodule(name.rpartition(".")[0])
                tensor.copy_(torch.from_numpy(value(name, tuple(tensor.shape), isinstance(owner, nn.BatchNorm2d))))


def digest(name, tensor):
    """Norm, then sums with random signs."""
    flat = tensor.detach().double().reshape(-1).numpy()
    sums = numpy.zeros(1 + SIGNS)
    for start, count in in_pieces(flat.size):
        piece, bits = flat[start : start + count], hashed("sign." + name, count, start)
        sums[0] += numpy.dot(piece, piece)
        for sign in range(SIGNS):
            sums[1 + sign] += numpy.dot(piece, 1.0 - 2.0 * ((bits >> numpy.uint64(sign)) & numpy.uint64(1)))
    sums[0] **= 0.5
    return sums


def size_of(name):
    return next((size for prefix, size in SIZES.items() if name.startswith(prefix)), DEFAULT_SIZE)


def choices_of(name):
    given = {"dropout": 0.0} if name.startswith(WITH_DROPOUT) else {}
    if name.startswith("efficientnet"):
        given["stochastic_depth"] = 0.0
    return {**given, **CHOICES.get(name, {})}


def make(models, name):
    renamed = {"stochastic_depth": "stochastic_depth_prob"}
    choices = {renamed.get(choice, choice): value for choice, value in choices_of(name).items()}
    if name in AUXILIARY:
        choices["init_weights"] = False
    network = getattr(models, name)(weights=None, num_classes=CLASSES, **choices)
    fill(network)
    return network


def pictures(name, size, batch, draw):
    return torch.from_numpy(uniform(f"{name}.input{size}.{draw}", (batch, 3, size, size), -2.0, 2.0))


def evaluate(network, images):
    """Logits in float64, and the error of PyTorch's own float32 as a fraction of the largest."""
    with torch.no_grad():
        single = network.eval().float()(images)
        exact = network.double()(images.double())
    return exact, float((single - exact).abs().max() / exact.abs().max())


def observe(network, images):
    """Module -> digest of what its last call gave; without those that are the identity in evaluation mode."""
    from torchvision.ops import StochasticDepth

    found, handles = {}, []
    for name, module in network.named_modules():
        if name and not isinstance(module, (nn.Dropout, StochasticDepth, nn.Identity)):
            def keep(_module, _inputs, output, name=name):
                found[name] = output.clone() if isinstance(output, torch.Tensor) else None
            handles.append(module.register_forward_hook(keep))
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return {name: digest(name, output) for name, output in found.items() if output is not None}


def train(network, images, labels, auxiliary):
    """Losses, the first gradients, and the changes of parameters and statistics after the last step."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), **SGD)
    losses, gradients = [], None
    network.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        output = network(images)
        predictions = [output] if isinstance(output, torch.Tensor) else list(output)
        weights = [1.0] + [auxiliary] * (len(predictions) - 1)
        loss = sum(weight * F.cross_entropy(logits, labels) for weight, logits in zip(weights, predictions))
        loss.backward()
        losses.append(loss.item())
        gradients = gradients or {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
        optimizer.step()
    changes = {name: tensor - before[name] for name, tensor in network.state_dict().items()
               if not name.endswith("num_batches_tracked")}
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            tensor.copy_(before[name])
    return losses, gradients, changes


def worst_error(exact, single):
    """The largest relative error in norm; what is 0 but for roundings, as the gradient of a shift before a batch
    normalisation, is measured against all gradients."""
    norms = {name: float(tensor.norm()) for name, tensor in exact.items()}
    floor = 1e-4 * sum(norm**2 for norm in norms.values()) ** 0.5
    return max(float((exact[name] - single[name].double()).norm()) / max(norms[name], floor) for name in exact)


def train_well_conditioned(network, name, size):
    """Training on pictures that leave no ReLU and no maximum so close to its kink that float32 falls on the other side:
    there the gradient jumps, and nothing would be compared but luck. Of a few draws, the best."""
    labels, auxiliary = torch.arange(BATCH) * 7 % CLASSES, AUXILIARY.get(name, 0)
    best = None
    count = sum(parameter.numel() for parameter in network.parameters())
    for draw in range(DRAWS if count < SMALL else 1):
        images = pictures(name, size, BATCH, draw)
        _, gradients, changes = train(network.float(), images, labels, auxiliary)
        losses, exact_gradients, exact_changes = train(network.double(), images.double(), labels, auxiliary)
        errors = worst_error(exact_gradients, gradients), worst_error(exact_changes, changes)
        if best is None or max(errors) < max(best[1]):
            best = draw, errors, losses, exact_gradients, exact_changes
        if max(best[1]) < WELL_CONDITIONED:
            break
    return best


def add_case(store, models, name):
    network, size = make(models, name), size_of(name)
    count = sum(parameter.numel() for parameter in network.parameters())
    attributes = dict(architecture=name, classes=CLASSES, size=size, batch=BATCH, parameters=count, draw=0,
                      state=len(network.state_dict()), choices=choices_of(name), **SGD)
    tensors = {}
    if count <= MOST_TRAINED or name == TRAINED_ANYWAY:
        draw, errors, losses, gradients, changes = train_well_conditioned(network, name, size)
        attributes.update(draw=draw, float32_gradient_error=errors[0], float32_change_error=errors[1])
        tensors["losses"] = numpy.array(losses)
        tensors["gradients"] = numpy.array([digest(*item) for item in gradients.items()])
        tensors["changes"] = numpy.array([digest(*item) for item in changes.items()])
    images = pictures(name, size, BATCH, attributes["draw"])
    tensors["logits"], attributes["float32_error"] = evaluate(network, images)
    if name in OBSERVED:
        modules = observe(network, images.double())
        attributes["modules"] = list(modules)
        tensors["modules"] = numpy.array(list(modules.values()))
    if name in NATIVE:
        attributes["native_size"] = {"inception_v3": 299}.get(name, 224)
        native = pictures(name, attributes["native_size"], 1, 0)
        tensors["native_logits"], attributes["native_float32_error"] = evaluate(network, native)
    store.add(f"zoo/{name}", "zoo", attributes, tensors)


def add_cases(store):
    # The operators that torchvision compiles are not needed here, and its builds do not fit every build of PyTorch.
    if not hasattr(torch.ops.torchvision, "nms"):
        torch.library.register_fake = lambda *arguments, **options: (lambda function: function)
    import torchvision.models as models

    torch.set_num_threads(os.cpu_count() or 1)
    for name in COMPARED:
        add_case(store, models, name)
        print(f"  {name}", flush=True)
