"""What PyTorch makes of one axis: the size of the output under every kind of padding.

A case is [operator, input, kernel, stride, dilation, padding before, after, output padding, output].
"""

import itertools

import torch
import torch.nn.functional as F


def window_cases():
    """Convolutions (valid, same on both sides, full, asymmetric, dilated) and poolings, rounded down and up."""
    for size, kernel, stride, dilation in itertools.product((5, 8, 13), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        extent = dilation * (kernel - 1) + 1
        for before, after in sorted({(0, 0), (1, 1), (extent // 2, extent // 2), (extent - 1, extent - 1), (0, 1), (2, 0)}):
            if extent > size + before + after:
                continue
            padded = F.pad(torch.zeros(1, 1, size), (before, after))
            output = F.conv1d(padded, torch.zeros(1, 1, kernel), stride=stride, dilation=dilation).shape[-1]
            yield ["convolution", size, kernel, stride, dilation, before, after, 0, output]
            if before == after <= kernel // 2:
                pooled = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, before, dilation, ceil_mode=True)
                yield ["pooling", size, kernel, stride, dilation, before, after, 0, pooled.shape[-1]]


def transposed_cases():
    for size, kernel, stride, dilation in itertools.product((1, 4, 7), (1, 2, 3, 4), (1, 2, 3), (1, 2)):
        for padding, output_padding in itertools.product((0, 1, 2), range(max(stride, dilation))):
            if (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1 < 1:
                continue
            output = F.conv_transpose1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), stride=stride,
                                        padding=padding, output_padding=output_padding, dilation=dilation).shape[-1]
            yield ["transposed_convolution", size, kernel, stride, dilation, padding, padding, output_padding, output]


def same_cases():
    """padding="same": where an impulse at the middle comes out says how much stands before."""
    for kernel, dilation in itertools.product((1, 2, 3, 4, 5), (1, 2, 3)):
        size = 31
        impulse = torch.zeros(1, 1, size)
        impulse[..., size // 2] = 1
        weight = torch.arange(1.0, kernel + 1).reshape(1, 1, kernel)
        output = F.conv1d(impulse, weight, padding="same", dilation=dilation)[0, 0]
        # The last weight meets the impulse first: at the place middle + before - dilation (kernel - 1).
        first = int(output.nonzero()[0])
        before = first - size // 2 + dilation * (kernel - 1)
        yield ["same", size, kernel, 1, dilation, before, dilation * (kernel - 1) - before, 0, output.numel()]


def cases():
    return [*window_cases(), *transposed_cases(), *same_cases()]
