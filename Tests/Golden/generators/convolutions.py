"""Convolution, transposed convolution and linear."""

import torch
import torch.nn.functional as F

from .padding import EXPLICIT, SAME, SAME_LOWER, SAME_UPPER, VALID, resolve, torch_order

# name, input [batch, channels, height, width], output channels, kernel, what differs from the defaults
CONVOLUTIONS = [
    ("plain_3x3", (2, 3, 7, 5), 4, (3, 3), {}),
    ("padded_3x3", (2, 3, 7, 5), 4, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("no_bias", (2, 3, 7, 5), 4, (3, 3), dict(padding=[1, 1, 1, 1], bias=False)),
    ("one_by_one", (2, 5, 4, 3), 7, (1, 1), {}),
    ("one_by_one_stride_2", (2, 5, 5, 7), 3, (1, 1), dict(stride=[2, 2])),
    ("one_by_one_padded", (1, 3, 4, 3), 2, (1, 1), dict(padding=[1, 1, 1, 1])),
    ("batch_1_one_channel", (1, 1, 6, 6), 1, (3, 3), {}),
    ("one_channel_in", (3, 1, 5, 6), 6, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("one_channel_out", (2, 6, 5, 6), 1, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("one_pixel", (2, 4, 1, 1), 3, (1, 1), {}),
    ("output_one_pixel", (2, 4, 3, 4), 3, (3, 4), {}),
    ("kernel_1x7", (1, 3, 4, 9), 3, (1, 7), dict(padding=[0, 0, 3, 3])),
    ("kernel_7x1", (1, 3, 9, 4), 3, (7, 1), dict(padding=[3, 3, 0, 0])),
    ("kernel_2x4", (2, 3, 6, 7), 2, (2, 4), {}),
    ("kernel_5x5", (1, 2, 8, 7), 3, (5, 5), dict(padding=[2, 2, 2, 2])),
    ("kernel_7x7_stride_2", (1, 3, 11, 13), 4, (7, 7), dict(stride=[2, 2], padding=[3, 3, 3, 3])),
    ("kernel_11x11_stride_4", (1, 2, 19, 16), 2, (11, 11), dict(stride=[4, 4], padding=[2, 2, 2, 2])),
    ("kernel_larger_than_map", (2, 3, 2, 3), 4, (5, 5), dict(padding=[2, 2, 2, 2])),
    ("kernel_larger_than_map_7x7", (1, 2, 1, 2), 3, (7, 7), dict(padding=[3, 3, 3, 3])),
    ("all_padding_window", (1, 2, 3, 3), 2, (2, 2), dict(padding=[3, 3, 2, 2])),
    ("stride_2", (2, 3, 7, 8), 4, (3, 3), dict(stride=[2, 2], padding=[1, 1, 1, 1])),
    ("stride_2_even_map", (1, 4, 8, 8), 5, (3, 3), dict(stride=[2, 2], padding=[1, 1, 1, 1])),
    ("stride_2_by_1", (2, 2, 7, 5), 3, (3, 3), dict(stride=[2, 1], padding=[1, 1, 0, 0])),
    ("stride_larger_than_kernel", (2, 3, 9, 10), 4, (2, 2), dict(stride=[3, 3])),
    ("stride_larger_than_kernel_rest", (1, 2, 9, 7), 3, (1, 2), dict(stride=[4, 5], padding=[1, 0, 1, 0])),
    ("dilation_2", (2, 3, 7, 8), 3, (3, 3), dict(dilation=[2, 2], padding=[2, 2, 2, 2])),
    ("dilation_3_by_1", (1, 3, 9, 6), 2, (3, 3), dict(dilation=[3, 1])),
    ("dilation_2_stride_2", (1, 3, 9, 10), 4, (3, 3), dict(dilation=[2, 2], stride=[2, 2], padding=[2, 2, 2, 2])),
    ("depthwise", (2, 6, 7, 5), 6, (3, 3), dict(groups=6, padding=[1, 1, 1, 1])),
    ("depthwise_stride_2", (1, 5, 8, 7), 5, (3, 3), dict(groups=5, stride=[2, 2], padding=[1, 1, 1, 1])),
    ("depthwise_5x5", (1, 4, 7, 6), 4, (5, 5), dict(groups=4, padding=[2, 2, 2, 2])),
    ("depthwise_dilation", (1, 4, 8, 7), 4, (3, 3), dict(groups=4, dilation=[2, 2], padding=[2, 2, 2, 2])),
    ("depthwise_multiplier_2", (2, 3, 6, 5), 6, (3, 3), dict(groups=3, padding=[1, 1, 1, 1])),
    ("depthwise_valid_no_bias", (1, 7, 5, 5), 7, (3, 3), dict(groups=7, bias=False, padding_mode=VALID)),
    ("groups_2", (2, 6, 6, 5), 4, (3, 3), dict(groups=2, padding=[1, 1, 1, 1])),
    ("groups_3_stride_2", (1, 9, 7, 7), 6, (3, 3), dict(groups=3, stride=[2, 2], padding=[1, 1, 1, 1])),
    ("groups_2_one_by_one", (2, 8, 4, 5), 6, (1, 1), dict(groups=2)),
    ("per_side_padding", (2, 3, 6, 7), 4, (3, 3), dict(padding=[0, 1, 2, 3])),
    ("per_side_padding_stride_2", (1, 3, 6, 8), 4, (3, 3), dict(stride=[2, 2], padding=[0, 1, 0, 1])),
    ("valid", (2, 3, 6, 7), 4, (3, 2), dict(padding_mode=VALID)),
    ("valid_stride_2", (1, 3, 8, 7), 4, (3, 3), dict(padding_mode=VALID, stride=[2, 2])),
    ("same_3x3", (2, 3, 6, 7), 4, (3, 3), dict(padding_mode=SAME)),
    ("same_even_kernel", (2, 3, 6, 5), 4, (4, 2), dict(padding_mode=SAME)),
    ("same_dilation", (1, 3, 6, 7), 4, (3, 2), dict(padding_mode=SAME, dilation=[2, 3])),
    ("same_upper_stride_2_even", (2, 3, 8, 6), 4, (3, 3), dict(padding_mode=SAME_UPPER, stride=[2, 2])),
    ("same_upper_stride_2_odd", (1, 3, 7, 9), 4, (3, 3), dict(padding_mode=SAME_UPPER, stride=[2, 2])),
    ("same_upper_even_kernel", (1, 3, 5, 6), 4, (2, 4), dict(padding_mode=SAME_UPPER)),
    ("same_upper_stride_larger", (1, 2, 9, 10), 3, (1, 2), dict(padding_mode=SAME_UPPER, stride=[3, 4])),
    ("same_lower_stride_2_even", (2, 3, 8, 6), 4, (3, 3), dict(padding_mode=SAME_LOWER, stride=[2, 2])),
    ("same_lower_even_kernel", (1, 3, 5, 6), 4, (2, 4), dict(padding_mode=SAME_LOWER)),
    ("same_lower_dilation_stride", (1, 3, 9, 8), 3, (3, 2), dict(padding_mode=SAME_LOWER, stride=[2, 3],
                                                                dilation=[2, 3])),
    # One column of output pixels, by kernels as wide as the map.
    ("column_of_planes", (1, 2, 23, 1), 5, (5, 1), dict(stride=[2, 1], dilation=[2, 1], padding=[3, 1, 0, 0])),
    ("wide_over_one_plane", (2, 1, 12, 7), 9, (3, 7), dict(padding=[1, 2, 0, 0])),
    ("wide_over_planes", (1, 3, 9, 4), 4, (2, 4), dict(stride=[3, 1])),
    ("wide_dilated", (1, 2, 9, 3), 4, (2, 3), dict(dilation=[2, 1])),
    ("depthwise_column", (1, 18, 21, 1), 18, (9, 1), dict(groups=18, padding=[4, 4, 0, 0])),
    ("depthwise_wide", (2, 3, 11, 5), 3, (2, 5), dict(groups=3, stride=[2, 1], padding=[1, 0, 0, 0])),
    ("narrow_planes", (1, 3, 11, 5), 9, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("narrow_plane_strided", (1, 1, 19, 9), 17, (5, 2), dict(stride=[2, 2], padding=[2, 2, 0, 1])),
    # More than one block of channels, with a rest.
    ("channels_16_16", (1, 16, 5, 6), 16, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("channels_18_20", (2, 18, 3, 4), 20, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("channels_3_33_stride_2", (1, 3, 9, 7), 33, (3, 3), dict(stride=[2, 2], padding=[1, 1, 1, 1], bias=False)),
    ("channels_33_3", (1, 33, 4, 5), 3, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("channels_35_40_one_by_one", (2, 35, 3, 5), 40, (1, 1), {}),
    ("channels_40_17_one_by_one_stride_2", (1, 40, 7, 6), 17, (1, 1), dict(stride=[2, 2], bias=False)),
    ("channels_17_18_stride_2_dilation_2", (1, 17, 8, 7), 18, (2, 3), dict(stride=[2, 2], dilation=[2, 2],
                                                                         padding=[1, 2, 0, 3])),
    ("channels_8_8_wide_row", (1, 8, 3, 37), 9, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("depthwise_37", (2, 37, 4, 5), 37, (3, 3), dict(groups=37, padding=[1, 1, 1, 1])),
    ("depthwise_32_stride_2", (1, 32, 7, 9), 32, (3, 3), dict(groups=32, stride=[2, 2], padding=[1, 1, 1, 1],
                                                             bias=False)),
    ("groups_4_channels_36", (1, 36, 4, 5), 24, (3, 3), dict(groups=4, padding=[1, 1, 1, 1])),
    ("groups_2_channels_32", (1, 32, 4, 4), 16, (3, 3), dict(groups=2, padding=[1, 1, 1, 1], stride=[2, 2])),
    ("groups_8_of_4", (1, 32, 6, 5), 32, (3, 3), dict(groups=8, padding=[1, 1, 1, 1], bias=False)),
]

# name, input, output channels, kernel, what differs from the defaults
TRANSPOSED_CONVOLUTIONS = [
    ("plain", (2, 3, 4, 5), 4, (3, 3), {}),
    ("padded", (2, 3, 4, 5), 4, (3, 3), dict(padding=[1, 1, 1, 1])),
    ("no_bias", (1, 2, 4, 3), 3, (2, 2), dict(bias=False)),
    ("one_channel", (1, 1, 3, 3), 1, (3, 3), {}),
    ("one_by_one_stride_2", (1, 3, 3, 4), 2, (1, 1), dict(stride=[2, 2])),
    ("stride_2", (2, 3, 4, 3), 4, (2, 2), dict(stride=[2, 2])),
    ("stride_2_output_padding", (1, 3, 4, 5), 3, (3, 3), dict(stride=[2, 2], padding=[1] * 4, output_padding=[1, 1])),
    ("stride_3_by_2", (1, 3, 3, 4), 2, (3, 2), dict(stride=[3, 2], output_padding=[2, 0])),
    ("stride_larger_than_kernel", (1, 2, 3, 3), 3, (2, 2), dict(stride=[4, 3], output_padding=[1, 2])),
    ("dilation_2", (1, 3, 4, 4), 2, (3, 3), dict(dilation=[2, 2], padding=[1, 1, 2, 2])),
    ("dilation_2_stride_2", (1, 2, 3, 4), 3, (3, 2), dict(dilation=[2, 3], stride=[2, 2], padding=[1] * 4,
                                                         output_padding=[1, 2])),
    ("groups_2", (2, 4, 3, 4), 6, (3, 3), dict(groups=2, stride=[2, 2], padding=[1] * 4)),
    ("depthwise", (1, 5, 4, 3), 5, (4, 4), dict(groups=5, stride=[2, 2], padding=[1] * 4)),
    ("per_side_padding", (1, 3, 4, 5), 2, (3, 3), dict(stride=[2, 2], padding=[0, 1, 1, 2])),
    ("channels_18_17", (1, 18, 3, 4), 17, (3, 3), dict(stride=[2, 2], padding=[1] * 4, output_padding=[1, 0])),
    ("channels_33_5", (1, 33, 3, 3), 5, (2, 2), dict(stride=[2, 2])),
]

# name, input [..., features], output features, bias
LINEARS = [
    ("plain", (3, 5), 4, True),
    ("no_bias", (3, 5), 4, False),
    ("batch_1", (1, 7), 3, True),
    ("one_feature_in", (4, 1), 5, True),
    ("one_feature_out", (4, 6), 1, True),
    ("wide", (5, 70), 35, True),
    ("batch_19", (19, 33), 17, True),
    ("multiples_of_16", (16, 32), 48, True),
    ("rank_3", (2, 3, 5), 4, True),
]


def add_cases(store):
    for case in CONVOLUTIONS:
        add_convolution(store, *case)
    for case in TRANSPOSED_CONVOLUTIONS:
        add_transposed(store, *case)
    for name, shape, features, bias in LINEARS:
        parameters = {"weight": (features, shape[-1]), **({"bias": (features,)} if bias else {})}
        attributes = dict(in_features=shape[-1], out_features=features, bias=bias)
        store.differentiate(f"linear/{name}", "linear", attributes, {"input": shape, **parameters},
                            lambda t: F.linear(t["input"], t["weight"], t.get("bias")))


def add_convolution(store, name, shape, out_channels, kernel, options):
    attributes = dict(in_channels=shape[1], out_channels=out_channels, kernel_size=list(kernel), stride=[1, 1],
                      padding=[0, 0, 0, 0], padding_mode=EXPLICIT, dilation=[1, 1], groups=1, bias=True)
    attributes.update(options)
    stride, dilation, groups, mode = (attributes[key] for key in ("stride", "dilation", "groups", "padding_mode"))
    padding = resolve(mode, attributes["padding"], shape[2:], kernel, stride, dilation)
    attributes["padding"] = padding

    def function(t):
        padded = F.pad(t["input"], torch_order(padding))
        output = F.conv2d(padded, t["weight"], t.get("bias"), stride, 0, dilation, groups)
        if mode in (SAME, VALID):  # PyTorch's own words for it must agree with the resolved padding
            own = F.conv2d(t["input"], t["weight"], t.get("bias"), stride, mode, dilation, groups)
            torch.testing.assert_close(own, output)
        return output

    inputs = {"input": shape, "weight": (out_channels, shape[1] // groups, *kernel)}
    if attributes["bias"]:
        inputs["bias"] = (out_channels,)
    store.differentiate(f"convolution/{name}", "convolution", attributes, inputs, function)


def add_transposed(store, name, shape, out_channels, kernel, options):
    attributes = dict(in_channels=shape[1], out_channels=out_channels, kernel_size=list(kernel), stride=[1, 1],
                      padding=[0, 0, 0, 0], output_padding=[0, 0], dilation=[1, 1], groups=1, bias=True)
    attributes.update(options)
    stride, dilation, groups, extra = (attributes[key] for key in ("stride", "dilation", "groups", "output_padding"))
    top, bottom, left, right = attributes["padding"]

    def function(t):
        full = F.conv_transpose2d(t["input"], t["weight"], t.get("bias"), stride, 0, extra, groups, dilation)
        output = full[:, :, top:full.shape[2] - bottom, left:full.shape[3] - right]
        if top == bottom and left == right:  # the only kind of padding PyTorch has here
            own = F.conv_transpose2d(t["input"], t["weight"], t.get("bias"), stride, (top, left), extra, groups,
                                     dilation)
            torch.testing.assert_close(own, output)
        return output

    inputs = {"input": shape, "weight": (shape[1], out_channels // groups, *kernel)}
    if attributes["bias"]:
        inputs["bias"] = (out_channels,)
    store.differentiate(f"transposed_convolution/{name}", "transposed_convolution", attributes, inputs, function)
