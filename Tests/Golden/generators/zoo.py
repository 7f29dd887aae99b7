"""torchvision's networks with weights that both sides compute: logits, what modules give, gradients, training.

A tensor of a million numbers is stored as its norm and its sums with random signs: the difference of two tensors changes
such a sum by about the norm of the difference.
"""

import functools

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from . import fill, kinks
from .fill import digest

CLASSES, STEPS = 10, 3
"""Sums with random signs beside the norm of a tensor; of the gradients' one is stored."""
GRADIENT_SIGNS, CHANGE_SIGNS, MODULE_SIGNS, STORED_SIGNS = 2, 1, 1, 1
SGD = dict(lr=0.001, momentum=0.9, weight_decay=0.001)

"""Size and number of the pictures by the beginning of the name. With 48 pixels the last maps have 2 x 2, and a batch
normalisation sees 16 values or more; DenseNet rounds down and needs 64. Inception v3 trains its auxiliary head from 299
pixels on. Without batch normalisation ReLUs are near their kink as often as not, so that there fewer are better."""
SIZES = {"": (48, 4), "alexnet": (67, 2), "vgg": (32, 2), "squeezenet": (33, 4), "densenet": (64, 4),
         "inception_v3": (299, 4), "mnasnet": (64, 8), "mobilenet": (48, 8),
         "googlenet": (32, 4)}
"""At least one of each family: logits at its published size, modules one by one."""
OBSERVED = ("alexnet vgg11_bn resnet18 squeezenet1_1 densenet121 googlenet inception_v3 "
            "shufflenet_v2_x1_0 mobilenet_v2 mobilenet_v3_small mnasnet0_5 efficientnet_b0 regnet_y_400mf").split()
CHOICES = {
    "googlenet": dict(dropout=0.0, dropout_aux=0.0, transform_input=True, aux_logits=True),
    "inception_v3": dict(dropout=0.0, transform_input=True, aux_logits=True),
    "resnet34": dict(zero_init_residual=True),
    "mobilenet_v2": dict(dropout=0.0, width_mult=0.75),
}
WITH_DROPOUT = ("alexnet", "vgg", "squeezenet", "mobilenet", "mnasnet", "efficientnet")
AUXILIARY = {"googlenet": 0.3, "inception_v3": 0.4}
"""How many float32 errors every ReLU's input is to keep from its kink, and the second of a pooling window from the
first; pictures are drawn until they do. Where two million windows are compared, no draw does."""
MARGIN, DRAWS = 6, {"": 10, "inception_v3": 1}
"""The steps of training that are watched: near ties come anew in each where a network pools many times."""
WATCHED = {"": 1, "googlenet": 3}


"""What torchvision has and the library's registry has not."""
ELSEWHERE = ("convnext", "efficientnet_v2", "maxvit", "swin", "vit")


def names(models):
    return [name for name in models.list_models(module=models) if not name.startswith(ELSEWHERE)]


def of_family(table, name):
    return table[max((prefix for prefix in table if name.startswith(prefix)), key=len)]


def size_and_batch(name):
    size, batch = of_family(SIZES, name)
    return size, 4 if name.endswith("_bn") else batch


def choices_of(name):
    given = {"dropout": 0.0} if name.startswith(WITH_DROPOUT) else {}
    if name.startswith("efficientnet"):
        given["stochastic_depth"] = 0.0
    return {**given, **CHOICES.get(name, {})}


def build(models, name, **options):
    """The network without numbers in its parameters yet."""
    if name in AUXILIARY:
        options["init_weights"] = False
    if name.startswith("regnet"):  # which computes its widths with tensors
        return getattr(models, name)(weights=None, **options)
    with torch.device("meta"):
        return getattr(models, name)(weights=None, **options)


def make(models, name):
    renamed = {"stochastic_depth": "stochastic_depth_prob"}
    choices = {renamed.get(choice, choice): value for choice, value in choices_of(name).items()}
    return build(models, name, num_classes=CLASSES, **choices).to_empty(device="cpu")


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def pictures(name, size, batch, draw):
    """Noise around a colour of each picture's own: the means of mere noise hardly differ."""
    stem = f"{name}.input{size}.{draw}"
    noise = fill.uniform(stem, (batch, 3, size, size), -1.0, 1.0)
    return torch.from_numpy(noise + fill.uniform(stem + ".colour", (batch, 3, 1, 1), -1.0, 1.0))


def well_conditioned_draw(network, name, size, batch):
    """The first pictures that keep every kink at a distance, or the best of some, and the distance."""
    best = 0, -1.0
    for draw in range(of_family(DRAWS, name)):
        images = pictures(name, size, batch, draw)
        distance = min(kinks.distance(network, images, functools.partial(trained, name=name, updates=updates))
                       for updates in range(of_family(WATCHED, name)))
        if distance > best[1]:
            best = draw, distance
        if distance >= MARGIN:
            break
    return best


def trained(network, images, name, updates):
    fill.fill(network)
    if updates:
        train(network, images, AUXILIARY.get(name, 0), updates)


def train(network, images, auxiliary, steps):
    """Losses, digests of the first gradients, digests of what changed after the last step.

    Each parameter is updated as soon as its gradient is there, which frees the gradient: a network of 645 million
    parameters takes a third of the memory less.
    """
    gradients, step, handles = {}, 0, []
    labels = torch.arange(len(images)) * 7 % CLASSES

    def update(parameter, name, optimizer):
        if step == 0:
            gradients[name] = digest(name, parameter.grad, GRADIENT_SIGNS)
        optimizer.step()
        optimizer.zero_grad()
        if step + 1 == steps:
            optimizer.state.clear()

    for name, parameter in network.named_parameters():
        hook = functools.partial(update, name=name, optimizer=torch.optim.SGD([parameter], **SGD))
        handles.append(parameter.register_post_accumulate_grad_hook(hook))
    network.train()
    losses = []
    for step in range(steps):
        output = network(images)
        predictions = [output] if isinstance(output, torch.Tensor) else list(output)
        weights = [1.0] + [auxiliary] * (len(predictions) - 1)
        loss = sum(weight * F.cross_entropy(logits, labels) for weight, logits in zip(weights, predictions))
        loss.backward()
        losses.append(loss.item())
    for handle in handles:
        handle.remove()
    changes, sizes = {}, {}
    for name, tensor, before in fill.state(network):
        changes[name] = digest(name, tensor.double() - before, CHANGE_SIGNS)
        sizes[name] = float(before.double().norm())
    gradients = {name: gradients[name] for name, _ in network.named_parameters()}
    return losses, gradients, changes, sizes


def difference(exact, single):
    """About the norm of the difference of two tensors, from their digests."""
    sums = float(numpy.sqrt(numpy.mean((exact[1:] - single[1:]) ** 2)))
    return max(sums, abs(exact[0] - single[0]))


def gradient_error(exact, single):
    """The largest relative error in norm; what is 0 but for roundings, as the gradient of a shift before a batch
    normalisation, is measured against all gradients."""
    floor = 1e-4 * sum(row[0] ** 2 for row in exact.values()) ** 0.5
    return max(difference(exact[name], single[name]) / max(exact[name][0], floor) for name in exact)


def change_error(exact, single, sizes):
    """The same for changes, beyond the rounding of the numbers themselves."""
    return max(max(difference(exact[name], single[name]) - 2e-7 * sizes[name], 0) / max(exact[name][0], 1e-30)
               for name in exact)


def evaluate(network, images):
    """Logits in float64, and the largest error of PyTorch's own float32 as a fraction of the largest: there are but a few
    logits and their errors are a matter of luck, so it is the worst of its ways to compute them."""
    network.eval().float()
    with torch.no_grad():
        singles = [network(images), network(images.contiguous(memory_format=torch.channels_last))]
        with torch.backends.mkldnn.flags(enabled=False):
            singles.append(network(images))
        singles += [torch.cat([network(image[None]) for image in images])]
        exact = network.double()(images.double())
    errors = [float((single - exact).abs().max() / exact.abs().max()) for single in singles]
    return exact, max(errors)


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
    return {name: digest(name, output, MODULE_SIGNS) for name, output in found.items() if output is not None}


def add_training(network, name, attributes, tensors):
    size, batch = size_and_batch(name)
    draw, distance = well_conditioned_draw(network, name, size, batch)
    images, auxiliary = pictures(name, size, batch, draw), AUXILIARY.get(name, 0)
    fill.fill(network.float())
    _, gradients, changes, sizes = train(network, images, auxiliary, STEPS)
    fill.fill(network)
    losses, exact_gradients, exact_changes, _ = train(network.double(), images.double(), auxiliary, STEPS)
    attributes.update(draw=draw, kink_distance=distance,
                      float32_gradient_error=gradient_error(exact_gradients, gradients),
                      float32_change_error=change_error(exact_changes, changes, sizes))
    tensors.update(losses=numpy.array(losses), gradients=numpy.array(list(exact_gradients.values()))[:, : 1 + STORED_SIGNS],
                   changes=numpy.array(list(exact_changes.values())))


def case(models, name):
    network, (size, batch) = make(models, name), size_and_batch(name)
    attributes = dict(architecture=name, classes=CLASSES, size=size, batch=batch, draw=0,
                      published_parameters=count(build(models, name)), parameters=count(network),
                      state=len(network.state_dict()), choices=choices_of(name), **SGD)
    tensors = {}
    add_training(network, name, attributes, tensors)
    fill.fill(network.float())
    images = pictures(name, size, batch, attributes["draw"])
    tensors["logits"], attributes["float32_error"] = evaluate(network, images)
    # Else the logits would say nothing about the layers in front.
    share = float(tensors["logits"].std(dim=0).max() / tensors["logits"].abs().max())
    if share < 0.001:
        raise ValueError(f"{name} gives all pictures the same logits but for {share}")
    if name in OBSERVED:
        modules = observe(network, images.double())
        attributes["modules"] = list(modules)
        tensors["modules"] = numpy.array(list(modules.values()))
        attributes["native_size"] = 299 if name == "inception_v3" else 224
        native = pictures(name, attributes["native_size"], 1, 0)
        tensors["native_logits"], attributes["native_float32_error"] = evaluate(network, native)
    return {key: short(value) for key, value in attributes.items()}, tensors


def short(value):
    return float(f"{value:.3g}") if isinstance(value, float) else value


def torchvision_models():
    # The operators that torchvision compiles are not needed here, and its builds do not fit every build of PyTorch.
    if not hasattr(torch.ops.torchvision, "nms"):
        torch.library.register_fake = lambda *arguments, **options: (lambda function: function)
    import torchvision.models as models

    return models


def add_cases(store):
    models = torchvision_models()
    for name in names(models):
        store.add(f"zoo/{name}", "zoo", *case(models, name))
        print(f"  {name}", flush=True)
