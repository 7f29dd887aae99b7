"""Max, average, adaptive average and global average pooling."""

import torch
import torch.nn.functional as F

from .padding import EXPLICIT, SAME_LOWER, SAME_UPPER, resolve, torch_order

# name, input [batch, channels, height, width], kernel, what differs from the defaults (stride: the kernel's size)
MAX_POOLS = [
    ("2x2", (2, 3, 6, 4), (2, 2), {}),
    ("2x2_rest", (2, 3, 7, 5), (2, 2), {}),
    ("2x2_ceil", (2, 3, 7, 5), (2, 2), dict(ceil_mode=True)),
    ("3x3_stride_2", (1, 4, 9, 8), (3, 3), dict(stride=[2, 2])),
    ("3x3_stride_2_padded", (2, 3, 8, 7), (3, 3), dict(stride=[2, 2], padding=[1] * 4)),
    ("3x3_stride_2_ceil", (1, 3, 8, 6), (3, 3), dict(stride=[2, 2], ceil_mode=True)),
    ("ceil_drops_last_window", (1, 2, 5, 5), (2, 2), dict(stride=[3, 3], padding=[1] * 4, ceil_mode=True)),
    ("overlapping", (1, 2, 6, 7), (3, 2), dict(stride=[1, 1])),
    ("overlapping_padded", (1, 2, 5, 6), (3, 3), dict(stride=[1, 1], padding=[1] * 4)),
    ("kernel_larger_than_map", (2, 2, 3, 2), (5, 5), dict(stride=[1, 1], padding=[2] * 4)),
    ("stride_larger_than_kernel", (1, 3, 10, 9), (2, 2), dict(stride=[3, 4])),
    ("dilation_2", (1, 3, 8, 9), (3, 3), dict(stride=[1, 2], dilation=[2, 2])),
    ("dilation_padded_ceil", (1, 2, 8, 7), (3, 2), dict(stride=[2, 2], padding=[1] * 4, dilation=[2, 3],
                                                       ceil_mode=True)),
    ("per_side_padding", (1, 3, 6, 7), (3, 3), dict(stride=[2, 2], padding=[0, 1, 1, 0])),
    ("same_upper", (1, 3, 7, 8), (2, 3), dict(stride=[2, 2], padding_mode=SAME_UPPER)),
    ("same_lower", (1, 3, 7, 8), (2, 3), dict(stride=[2, 2], padding_mode=SAME_LOWER)),
    ("one_channel_one_pixel", (1, 1, 1, 1), (1, 1), {}),
    ("channels_17", (2, 17, 5, 6), (3, 3), dict(stride=[2, 2], padding=[1] * 4)),
    ("channels_40", (1, 40, 5, 5), (2, 2), dict(ceil_mode=True)),
]

AVERAGE_POOLS = [
    ("2x2", (2, 3, 6, 4), (2, 2), {}),
    ("2x2_rest", (2, 3, 7, 5), (2, 2), {}),
    ("2x2_ceil", (2, 3, 7, 5), (2, 2), dict(ceil_mode=True)),
    ("3x3_stride_1_padded", (1, 3, 5, 6), (3, 3), dict(stride=[1, 1], padding=[1] * 4)),
    ("3x3_stride_1_padded_without_pad", (1, 3, 5, 6), (3, 3), dict(stride=[1, 1], padding=[1] * 4,
                                                                  count_include_pad=False)),
    ("ceil_padded", (1, 3, 6, 8), (3, 3), dict(stride=[2, 2], padding=[1] * 4, ceil_mode=True)),
    ("ceil_padded_without_pad", (1, 3, 6, 8), (3, 3), dict(stride=[2, 2], padding=[1] * 4, ceil_mode=True,
                                                          count_include_pad=False)),
    ("ceil_drops_last_window", (1, 2, 5, 5), (2, 2), dict(stride=[3, 3], padding=[1] * 4, ceil_mode=True)),
    ("kernel_larger_than_map", (2, 2, 3, 2), (5, 5), dict(stride=[1, 1], padding=[2] * 4)),
    ("kernel_larger_than_map_without_pad", (2, 2, 3, 2), (5, 5), dict(stride=[1, 1], padding=[2] * 4,
                                                                     count_include_pad=False)),
    ("stride_larger_than_kernel", (1, 3, 10, 9), (2, 2), dict(stride=[3, 4])),
    ("per_side_padding", (1, 3, 6, 7), (3, 2), dict(stride=[2, 2], padding=[0, 1, 1, 0])),
    ("per_side_padding_without_pad", (1, 3, 6, 7), (3, 2), dict(stride=[2, 2], padding=[0, 1, 1, 0],
                                                               count_include_pad=False)),
    ("same_upper_without_pad", (1, 3, 7, 8), (2, 3), dict(stride=[2, 2], padding_mode=SAME_UPPER,
                                                         count_include_pad=False)),
    ("one_channel_one_pixel", (1, 1, 1, 1), (1, 1), {}),
    ("channels_17", (2, 17, 5, 6), (3, 3), dict(stride=[2, 2], padding=[1] * 4)),
    ("channels_40_without_pad", (1, 40, 5, 4), (3, 3), dict(stride=[2, 1], padding=[1] * 4,
                                                           count_include_pad=False)),
    # Rows first, then columns.
    ("large_windows", (2, 9, 12, 13), (7, 6), dict(stride=[2, 2])),
    ("large_windows_without_pad", (1, 3, 11, 9), (5, 5), dict(stride=[1, 1], padding=[2] * 4, count_include_pad=False)),
    ("large_windows_ceil", (1, 3, 12, 12), (6, 5), dict(stride=[2, 3], padding=[3, 3, 2, 2], ceil_mode=True)),
]

# name, input, output size
ADAPTIVE_AVERAGE_POOLS = [
    ("to_one", (2, 3, 5, 7), (1, 1)),
    ("dividing", (2, 3, 6, 8), (3, 4)),
    ("not_dividing", (2, 3, 7, 5), (3, 2)),
    ("not_dividing_7", (1, 2, 13, 10), (7, 7)),
    ("larger_than_map", (1, 3, 3, 5), (7, 6)),
    ("same_size", (1, 2, 3, 4), (3, 4)),
    ("one_pixel_to_6", (1, 4, 1, 1), (6, 6)),
    ("channels_19", (2, 19, 5, 6), (2, 4)),
    ("channels_33", (1, 33, 4, 7), (3, 3)),
]

GLOBAL_AVERAGE_POOLS = [
    ("plain", (2, 3, 5, 7)), ("one_pixel", (2, 3, 1, 1)), ("one_channel", (1, 1, 4, 3)), ("channels_37", (2, 37, 3, 5)),
]


def add_cases(store):
    for case in MAX_POOLS:
        add_pool(store, "max_pool", max_pool, dict(dilation=[1, 1]), *case)
    for case in AVERAGE_POOLS:
        add_pool(store, "average_pool", average_pool, dict(count_include_pad=True), *case)
    for name, shape, size in ADAPTIVE_AVERAGE_POOLS:
        store.differentiate(f"adaptive_average_pool/{name}", "adaptive_average_pool", dict(output_size=list(size)),
                            {"input": shape}, lambda t: F.adaptive_avg_pool2d(t["input"], size))
    for name, shape in GLOBAL_AVERAGE_POOLS:
        store.differentiate(f"global_average_pool/{name}", "global_average_pool", {}, {"input": shape},
                            lambda t: t["input"].mean((2, 3), keepdim=True))


def add_pool(store, operator, pool, defaults, name, shape, kernel, options):
    attributes = dict(kernel_size=list(kernel), stride=list(kernel), padding=[0, 0, 0, 0], padding_mode=EXPLICIT,
                      ceil_mode=False, **defaults)
    attributes.update(options)
    attributes["padding"] = resolve(attributes["padding_mode"], attributes["padding"], shape[2:], kernel,
                                    attributes["stride"], attributes.get("dilation", [1, 1]))
    store.differentiate(f"{operator}/{name}", operator, attributes, {"input": shape},
                        lambda t: pool(t["input"], attributes))


def is_symmetric(padding):
    return padding[0] == padding[1] and padding[2] == padding[3]


def max_pool(x, a):
    if is_symmetric(a["padding"]):
        return F.max_pool2d(x, a["kernel_size"], a["stride"], a["padding"][::2], a["dilation"], a["ceil_mode"])
    padded = F.pad(x, torch_order(a["padding"]), value=float("-inf"))
    return F.max_pool2d(padded, a["kernel_size"], a["stride"], 0, a["dilation"], a["ceil_mode"])


def average_pool(x, a):
    if is_symmetric(a["padding"]):
        return F.avg_pool2d(x, a["kernel_size"], a["stride"], a["padding"][::2], a["ceil_mode"],
                            a["count_include_pad"])
    if a["ceil_mode"]:
        raise ValueError("PyTorch has no average over unequal sides with ceil_mode to compare with")
    average = F.avg_pool2d(F.pad(x, torch_order(a["padding"])), a["kernel_size"], a["stride"])
    if a["count_include_pad"]:
        return average
    inside = F.pad(torch.ones_like(x), torch_order(a["padding"]))
    return average / F.avg_pool2d(inside, a["kernel_size"], a["stride"])
