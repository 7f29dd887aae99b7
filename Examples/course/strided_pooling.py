"""Maximum pooling against convolutions of stride 2 in its place, and global average pooling for the classifier.

One small network as VGG and what transformations make of it, each trained from the same start on Fashion-MNIST
(Springenberg et al. 2014, Striving for Simplicity: The All Convolutional Net).
"""

from __future__ import annotations

from common import accuracy, fashion_mnist, learnt, parser, show, train

import sasuka


def network(threads: int) -> sasuka.Model:
    """Four convolutions with two poolings, and a classifier of two linear layers."""
    graph = sasuka.Graph((1, 28, 28))
    x = graph.input
    for place, channels in enumerate((16, 16, 32, 32)):
        x = graph.batch_norm2d(graph.conv2d(x, f"conv{place}", channels, 3, padding=1, bias=False), f"bn{place}")
        x = graph.activation(x, "relu")
        if place % 2:
            x = graph.max_pool2d(x, 2, name=f"pool{place // 2}")
    x = graph.dropout(graph.activation(graph.linear(graph.flatten(x), "fc0", 64), "relu"), 0.25)
    return graph.model(graph.linear(x, "fc1", 10), seed=0, threads=threads)


def main() -> None:
    arguments = parser(__doc__, pictures=12_000, epochs=3).parse_args()
    data, tests = fashion_mnist(arguments)
    base = network(arguments.threads)
    drawn = base.replace_max_pool()
    drawn.initialize("pool*.weight", "kaiming_normal", 2**0.5, seed=1)
    cases = [
        ("maximum pooling", base),
        ("convolution, begins as average", base.replace_max_pool()),
        ("convolution, begins at random", drawn),
        ("depthwise convolution", base.replace_max_pool(replacement="depthwise")),
        ("stride in the convolution before", base.replace_max_pool(replacement="stride")),
        ("maximum pooling, global average", base.pool_globally()),
        ("convolution, global average", base.replace_max_pool().pool_globally()),
    ]
    rows = []
    for title, model in cases:
        work = sum(layer.multiply_adds for layer in model.layers())
        seconds = train(model, data, arguments.epochs, lr=0.05, threads=arguments.threads)
        share = accuracy(model, tests)
        rows.append((title, f"{learnt(model):,}", f"{work / 1e6:.1f} M", f"{seconds:.1f} s", f"{100 * share:.2f} %"))
    show(("poolings", "parameters", "multiply-adds", "training", "accuracy"), rows)


if __name__ == "__main__":
    main()
