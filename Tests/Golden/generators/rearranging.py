"""What moves, cuts, repeats or averages elements: concatenate to resize."""

import torch
import torch.nn.functional as F

from .padding import torch_order

# name, shapes, dimension
CONCATENATIONS = [
    ("channels", [(2, 3, 4, 5), (2, 2, 4, 5)], 1),
    ("channels_of_three", [(1, 5, 3, 3), (1, 17, 3, 3), (1, 3, 3, 3)], 1),
    ("channels_blocked", [(2, 16, 2, 3), (2, 32, 2, 3)], 1),
    ("channels_20_12", [(1, 20, 3, 4), (1, 12, 3, 4)], 1),
    ("batch", [(2, 3, 2, 3), (1, 3, 2, 3)], 0),
    ("rows", [(2, 3, 2, 4), (2, 3, 3, 4)], 2),
    ("columns", [(2, 3, 4, 2), (2, 3, 4, 3)], 3),
    ("columns_channels_18", [(1, 18, 2, 2), (1, 18, 2, 1)], -1),
    ("rank_2", [(3, 4), (3, 2)], 1),
    ("one", [(2, 3, 2, 2)], 1),
]

# name, shape, start_dim, end_dim
FLATTENS = [
    ("from_channels", (2, 3, 4, 5), 1, -1), ("from_channels_19", (2, 19, 2, 3), 1, -1), ("all", (2, 3, 2, 2), 0, -1),
    ("spatial", (2, 3, 4, 5), 2, 3), ("rank_2", (3, 4), 1, -1),
]

# name, shape, new shape (-1: what remains)
RESHAPES = [
    ("split_channels", (2, 6, 2, 3), [2, 2, 3, 2, 3]), ("to_rank_2", (2, 17, 2, 3), [2, -1]),
    ("to_maps", (2, 24), [2, 4, 3, 2]), ("other_maps", (2, 6, 4, 3), [3, 4, 2, -1]),
]

# name, shape, order
PERMUTES = [
    ("to_channels_last", (2, 3, 4, 5), [0, 2, 3, 1]), ("to_channels_first", (2, 4, 5, 3), [0, 3, 1, 2]),
    ("transposed_maps", (2, 18, 3, 4), [0, 1, 3, 2]), ("rank_2", (3, 4), [1, 0]), ("identity", (2, 3, 2, 2), [0, 1, 2, 3]),
    ("reversed", (2, 3, 4, 5), [3, 2, 1, 0]), ("rank_5", (2, 2, 3, 2, 2), [0, 2, 1, 3, 4]),
]

# name, shape, groups
CHANNEL_SHUFFLES = [
    ("groups_2", (2, 6, 2, 3), 2), ("groups_3", (1, 9, 3, 2), 3), ("groups_2_channels_34", (2, 34, 2, 3), 2),
    ("groups_4_channels_48", (1, 48, 2, 2), 4), ("groups_1", (1, 4, 2, 2), 1), ("groups_all", (1, 5, 2, 2), 5),
]

# name, shape, axis, start, end, step
SLICES = [
    ("channels", (2, 6, 3, 2), 1, 1, 4, 1), ("channels_step_2", (2, 7, 3, 2), 1, 1, 7, 2),
    ("channels_blocked", (1, 40, 2, 3), 1, 16, 40, 1), ("channels_across_blocks", (1, 37, 2, 2), 1, 10, 35, 1),
    ("channels_across_blocks_step_3", (1, 37, 2, 2), 1, 2, 37, 3), ("batch", (4, 2, 2, 3), 0, 1, 3, 1),
    ("rows_step_2", (1, 3, 7, 4), 2, 0, 7, 2), ("columns", (1, 3, 4, 7), 3, 2, 5, 1),
    ("columns_step_3", (1, 18, 2, 8), 3, 1, 8, 3), ("from_the_end", (2, 3, 6), 2, -4, -1, 1), ("rank_2", (3, 9), 1, 2, 9, 4),
]

# name, shape, padding [top, bottom, left, right], mode, value
PADS = [
    ("constant", (2, 3, 4, 3), [1, 2, 0, 3], "constant", 0.0),
    ("constant_value", (1, 3, 3, 4), [1, 1, 1, 1], "constant", -1.5),
    ("constant_channels_18", (1, 18, 2, 3), [0, 1, 2, 1], "constant", 0.5),
    ("constant_crop", (1, 2, 5, 6), [-1, 1, 2, -2], "constant", 0.0),
    ("reflect", (2, 3, 4, 5), [1, 2, 3, 4], "reflect", 0.0),
    ("reflect_largest", (1, 2, 3, 4), [2, 2, 3, 3], "reflect", 0.0),
    ("reflect_channels_17", (1, 17, 3, 3), [1, 1, 2, 0], "reflect", 0.0),
    ("replicate", (2, 3, 3, 4), [1, 2, 0, 3], "replicate", 0.0),
    ("replicate_wider_than_map", (1, 2, 2, 1), [3, 4, 2, 5], "replicate", 0.0),
    ("replicate_channels_20", (1, 20, 2, 3), [2, 0, 1, 1], "replicate", 0.0),
]

# name, shape, mode, align_corners, size, scale_factor: one of the last two
RESIZES = [
    ("bilinear_double", (2, 3, 4, 3), "bilinear", False, None, [2.0, 2.0]),
    ("bilinear_up", (1, 3, 4, 5), "bilinear", False, [7, 9], None),
    ("bilinear_down", (1, 3, 9, 8), "bilinear", False, [4, 3], None),
    ("bilinear_scale_1.7_0.6", (1, 2, 5, 7), "bilinear", False, None, [1.7, 0.6]),
    ("bilinear_corners_up", (1, 3, 4, 5), "bilinear", True, [7, 9], None),
    ("bilinear_corners_down", (1, 3, 9, 8), "bilinear", True, [4, 3], None),
    ("bilinear_corners_double", (2, 2, 3, 4), "bilinear", True, None, [2.0, 2.0]),
    ("bilinear_corners_to_one", (1, 2, 4, 5), "bilinear", True, [1, 1], None),
    ("bilinear_one_pixel", (2, 3, 1, 1), "bilinear", False, [3, 4], None),
    ("bilinear_same_size", (1, 2, 3, 4), "bilinear", False, [3, 4], None),
    ("bilinear_channels_18", (1, 18, 3, 4), "bilinear", False, [5, 6], None),
    ("bilinear_corners_channels_33", (1, 33, 2, 3), "bilinear", True, [3, 4], None),
    ("nearest_double", (2, 3, 3, 4), "nearest", None, None, [2.0, 2.0]),
    ("nearest_up", (1, 3, 4, 5), "nearest", None, [7, 9], None),
    ("nearest_down", (1, 3, 9, 8), "nearest", None, [4, 3], None),
    ("nearest_scale_1.7_0.6", (1, 2, 5, 7), "nearest", None, None, [1.7, 0.6]),
    ("nearest_scale_3_1.5", (1, 2, 3, 4), "nearest", None, None, [3.0, 1.5]),
    ("nearest_one_pixel", (1, 3, 1, 1), "nearest", None, [2, 3], None),
    ("nearest_channels_18", (1, 18, 3, 2), "nearest", None, [5, 4], None),
]

# name, shape, axes, keepdim
MEANS = [
    ("spatial", (2, 3, 4, 5), [2, 3], False), ("spatial_kept", (2, 3, 4, 5), [2, 3], True),
    ("spatial_channels_18", (2, 18, 2, 3), [2, 3], False), ("channels", (2, 5, 3, 4), [1], False),
    ("channels_kept_channels_19", (2, 19, 2, 3), [1], True), ("batch", (3, 2, 2, 2), [0], False),
    ("rows_kept", (2, 3, 4, 5), [2], True), ("last", (2, 3, 4, 5), [-1], False), ("all_kept", (2, 3, 2, 2), [0, 1, 2, 3], True),
    ("batch_and_spatial", (2, 17, 3, 2), [0, 2, 3], False), ("rank_2", (3, 7), [1], False),
]


def add_cases(store):
    def add(operator, name, attributes, shape, function):
        store.differentiate(f"{operator}/{name}", operator, attributes, {"input": shape}, lambda t: function(t["input"]))

    for name, shapes, dim in CONCATENATIONS:
        inputs = {f"input{index + 1}" if index else "input": shape for index, shape in enumerate(shapes)}
        store.differentiate(f"concatenate/{name}", "concatenate", dict(dim=dim), inputs,
                            lambda t: torch.cat(list(t.values()), dim))
    for name, shape, start, end in FLATTENS:
        add("flatten", name, dict(start_dim=start, end_dim=end), shape, lambda x: x.flatten(start, end))
    for name, shape, new_shape in RESHAPES:
        add("reshape", name, dict(shape=new_shape), shape, lambda x: x.reshape(new_shape))
    for name, shape, dims in PERMUTES:
        add("permute", name, dict(dims=dims), shape, lambda x: x.permute(dims))
    for name, shape, groups in CHANNEL_SHUFFLES:
        add("channel_shuffle", name, dict(groups=groups), shape, lambda x: F.channel_shuffle(x, groups))
    for name, shape, axis, start, end, step in SLICES:
        attributes = dict(axis=axis, start=start, end=end, step=step)
        add("slice", name, attributes, shape, lambda x: x[(slice(None),) * axis + (slice(start, end, step),)])
    for name, shape, padding, mode, value in PADS:
        add("pad", name, dict(padding=padding, mode=mode, value=value), shape,
            lambda x: F.pad(x, torch_order(padding), mode, value if mode == "constant" else None))
    for name, shape, mode, align_corners, size, scale in RESIZES:
        attributes = dict(mode=mode, align_corners=align_corners, size=size, scale_factor=scale)
        add("resize", name, attributes, shape,
            lambda x: F.interpolate(x, size, scale, mode, align_corners))
    for name, shape, axes, keepdim in MEANS:
        add("mean", name, dict(axes=axes, keepdim=keepdim), shape, lambda x: x.mean(axes, keepdim))
