"""Where the time of a forward pass goes, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class ProfileRow(NamedTuple):
    """A step of a network's plan, or a whole node with all its steps."""

    #: The module's name; "" for reading the input, preparing the weights and writing the output.
    name: str
    #: The operator, such as "convolution".
    kind: str
    #: How the step does its part, such as "direct" or "padding"; the names of all steps of a node.
    algorithm: str
    #: Number of the node, the same in all its rows; -1 for a row without one.
    node: int
    #: Elapsed time: the median over the runs, or their least.
    nanoseconds: float
    #: How much of it the calling thread waited for the others.
    waiting: float
    #: Of the whole node, as its definition counts them, whatever the algorithm.
    multiply_adds: int
    #: Of the node's inputs, parameters and outputs.
    bytes: int
    #: Shapes of the node's first input and first output.
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


class Profile(Sequence[ProfileRow]):
    """The steps of a network's plan in order, with the time of each. `print` shows a table of the nodes."""

    def __init__(self, rows: Sequence[ProfileRow]) -> None:
        self._rows = list(rows)

    def __repr__(self) -> str:
        total = sum(row.nanoseconds for row in self._rows)
        return f"Profile({len(self._rows)} steps, {total / 1e6:.3f} ms)"

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        return self._rows[place]

    def nodes(self) -> Profile:
        """One row for each node: the times of its steps added, their names joined."""
        joined: list[ProfileRow] = []
        for row in self._rows:
            last = joined[-1] if joined else None
            if last is None or row.node < 0 or last.node != row.node:
                joined.append(row)
                continue
            names = [name for name in (last.algorithm, row.algorithm) if name]
            joined[-1] = last._replace(
                algorithm=" + ".join(dict.fromkeys(names)),
                nanoseconds=last.nanoseconds + row.nanoseconds,
                waiting=last.waiting + row.waiting,
            )
        return Profile(joined)

    @property
    def total(self) -> float:
        """Nanoseconds of all rows."""
        return sum(row.nanoseconds for row in self._rows)

    def to_array(self) -> np.ndarray:
        """A structured array with the rows' fields, the shapes left out."""
        fields = [("name", "U64"), ("kind", "U32"), ("algorithm", "U64"), ("node", "i8"), ("nanoseconds", "f8")]
        fields += [("waiting", "f8"), ("multiply_adds", "i8"), ("bytes", "i8")]
        return np.array([tuple(row[: len(fields)]) for row in self._rows], dtype=fields)

    def __str__(self) -> str:
        total = max(self.total, 1)
        lines = [["layer", "operator", "algorithm", "output", "ms", "share", "GFLOP/s"]]
        for row in self.nodes():
            shape = " x ".join(map(str, row.output_shape))
            speed = f"{2 * row.multiply_adds / row.nanoseconds:.1f}" if row.multiply_adds and row.nanoseconds else ""
            share = f"{row.nanoseconds / total:.1%}"
            lines.append([row.name, row.kind, row.algorithm, shape, f"{row.nanoseconds / 1e6:.3f}", share, speed])
        lines.append(["", "", "", "", f"{self.total / 1e6:.3f}", "", ""])
        widths = [max(map(len, column)) for column in zip(*lines)]
        texts = [
            "  ".join(cell.ljust(width) if place < 4 else cell.rjust(width) for place, (cell, width) in cells)
            for cells in (enumerate(zip(line, widths)) for line in lines)
        ]
        return "\n".join(text.rstrip() for text in texts)
