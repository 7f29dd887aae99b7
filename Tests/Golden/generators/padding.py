"""The padding modes, resolved to [top, bottom, left, right]."""

EXPLICIT, VALID, SAME, SAME_UPPER, SAME_LOWER = "explicit", "valid", "same", "same_upper", "same_lower"


def resolve(mode, padding, input_size, kernel_size, stride, dilation):
    """`padding` counts for the explicit mode only. PyTorch's `same` is defined for stride 1; ONNX's two for any."""
    if mode == EXPLICIT:
        return list(padding)
    if mode == VALID:
        return [0, 0, 0, 0]
    sides = []
    for size, kernel, step, spacing in zip(input_size, kernel_size, stride, dilation):
        extent = spacing * (kernel - 1) + 1
        if mode == SAME:
            if step != 1:
                raise ValueError("PyTorch's same padding needs stride 1")
            total = extent - 1
        else:
            outputs = -(-size // step)
            total = max((outputs - 1) * step + extent - size, 0)
        smaller, larger = total // 2, total - total // 2
        sides += [larger, smaller] if mode == SAME_LOWER else [smaller, larger]
    return sides


def torch_order(padding):
    """[top, bottom, left, right] as torch.nn.functional.pad wants it."""
    top, bottom, left, right = padding
    return (left, right, top, bottom)
