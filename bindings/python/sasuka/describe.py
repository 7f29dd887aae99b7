"""Networks as tables and drawings: modules, HTML for notebooks, DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

from ._words import word
from .surgery import LayerInfo

#: Says a word of this file in the reader's language.
Word = Callable[[str], str]

#: Colours of what has weights, what pools, and what joins; everything else stays white.
COLOURS = {
    "convolution": "#CFE3F5",
    "transposed_convolution": "#CFE3F5",
    "linear": "#F5D9C4",
    "batch_norm": "#E8E8E8",
    "max_pool": "#D5EBD9",
    "average_pool": "#D5EBD9",
    "adaptive_average_pool": "#D5EBD9",
    "add": "#F7EFC5",
    "multiply": "#F7EFC5",
    "concatenate": "#F7EFC5",
}


class Module(NamedTuple):
    """A layer, or a group of layers under one name."""

    name: str
    #: The layer's operator, or "module" for a group.
    kind: str
    layers: tuple[LayerInfo, ...]

    @property
    def parameters(self) -> int:
        """Learnt numbers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """At the input that was asked for."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of its last layer."""
        return self.layers[-1].output_shape


def modules(layers: Sequence[LayerInfo]) -> Iterator[Module]:
    """The whole network, named "", then every group and layer, a group before what is inside."""
    groups: dict[str, list[LayerInfo]] = {"": []}
    kinds: dict[str, str] = {}
    for layer in layers:
        parts = layer.name.split(".")
        for length in range(len(parts) + 1):
            groups.setdefault(".".join(parts[:length]), []).append(layer)
        kinds[layer.name] = layer.kind
    for name, inside in groups.items():
        # A layer may be used more than once, as a block's ReLU is.
        kind = kinds[name] if all(layer.name == name for layer in inside) else "module"
        yield Module(name, kind, tuple(inside))


def shape_text(shape: Sequence[int]) -> str:
    """A shape without its batch: "64 x 56 x 56"."""
    return " x ".join(map(str, shape[1:]))


def operator_text(layer: LayerInfo, word: Word = str) -> str:
    """A layer's operator: "max pool"."""
    return word(layer.kind.replace("_", " "))


def window_text(layer: LayerInfo, word: Word = str) -> str:
    """What slides over a layer's map: "3 x 3, stride 2, padding 1"; what is as always is left out."""
    if layer.kernel is None or layer.stride is None or layer.padding is None or layer.dilation is None:
        return ""
    parts = [f"{layer.kernel[0]} x {layer.kernel[1]}"]
    for name, pair, usual in (("stride", layer.stride, (1, 1)), ("dilation", layer.dilation, (1, 1))):
        if pair != usual:
            parts.append(f"{word(name)} {pair[0]}" if pair[0] == pair[1] else f"{word(name)} {pair[0]}, {pair[1]}")
    if any(layer.padding):
        same = len(set(layer.padding)) == 1
        parts.append(f"{word('padding')} " + (str(layer.padding[0]) if same else ", ".join(map(str, layer.padding))))
    return ", ".join(parts)


class Summary(str):
    """A table as text, which a notebook shows as one of HTML."""

    _layers: Sequence[LayerInfo]

    def __new__(cls, text: str, layers: Sequence[LayerInfo]) -> Summary:
        summary = super().__new__(cls, text)
        summary._layers = layers
        return summary

    def __reduce__(self) -> tuple[type[Summary], tuple[str, Sequence[LayerInfo]]]:
        return Summary, (str(self), self._layers)

    def __repr__(self) -> str:
        # As what is asked for: a prompt shows it so.
        return str(self)

    def _repr_html_(self) -> str:
        return to_html(self._layers)


def to_html(layers: Sequence[LayerInfo]) -> str:
    """The table of layers for a notebook."""
    # Loads tables of names, which everybody else would wait for.
    from html import escape

    titles = (word("layer"), word("operator"), word("window"), word("output"), word("parameters"), word("multiply-adds"))
    rows = []
    for layer in layers:
        colour = COLOURS.get(layer.kind)
        fill = f"background:{colour};color:#222;" if colour else ""
        texts = [layer.name, operator_text(layer, word), window_text(layer, word), shape_text(layer.output_shape)]
        cells = [
            f'<td style="{fill if place == 1 else ""}text-align:left">{escape(text)}</td>'
            for place, text in enumerate(texts)
        ]
        numbers = [f"{number:,}" if number else "" for number in (layer.parameters, layer.multiply_adds)]
        rows.append("<tr>" + "".join(cells) + "".join(f"<td>{number}</td>" for number in numbers) + "</tr>")
    totals = [sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)]
    foot = f'<td style="text-align:left" colspan="4">{word("total")}</td>' + "".join(f"<td>{total:,}</td>" for total in totals)
    head = "".join(f'<th style="text-align:{"right" if i > 3 else "left"}">{title}</th>' for i, title in enumerate(titles))
    return (
        '<div style="max-height:32em;overflow:auto"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody><tfoot><tr>{foot}</tr></tfoot></table></div>"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def to_dot(
    layers: Sequence[LayerInfo], connections: Sequence[tuple[int, int]], input_shape: Sequence[int], name: str = "network"
) -> str:
    """The network as a graph in Graphviz's language: a box for each layer, framed by module, an arrow for each tensor.

    Parameters
    ----------
    connections : sequence of (from, to)
        Numbers of layers; -1 is the input.
    """
    lines = [
        f"digraph {_quoted(name)} {{",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=10, margin="0.12,0.05"];',
        '  edge [color="#666666", fontname="Helvetica", fontsize=8];',
        '  graph [fontname="Helvetica", fontsize=10, color="#BBBBBB"];',
        f"  input [shape=ellipse, label={_quoted('input')}];",
    ]
    lines += _clusters(list(enumerate(layers)), 0, "  ")
    for source, target in connections:
        start, shape = ("input", input_shape) if source < 0 else (f"n{source}", layers[source].output_shape)
        lines.append(f"  {start} -> n{target} [label={_quoted(' ' + shape_text(shape))}];")
    return "\n".join([*lines, "}"]) + "\n"


def _clusters(numbered: list[tuple[int, LayerInfo]], depth: int, indent: str) -> list[str]:
    """Boxes of layers whose names agree in their first `depth` parts, framed by the next part where it holds several."""
    lines: list[str] = []
    groups: dict[str, list[tuple[int, LayerInfo]]] = {}
    for number, layer in numbered:
        parts = layer.name.split(".")
        groups.setdefault(parts[depth] if len(parts) > depth + 1 else f"\0{number}", []).append((number, layer))
    for part, inside in groups.items():
        number, layer = inside[0]
        if part.startswith("\0"):
            text = "\n".join(filter(None, [layer.name.split(".")[-1], operator_text(layer), window_text(layer)]))
            label = _quoted(text).replace("\n", "\\n")
            colour = f', fillcolor="{COLOURS[layer.kind]}"' if layer.kind in COLOURS else ""
            lines.append(f"{indent}n{number} [label={label}{colour}];")
            continue
        title = ".".join(layer.name.split(".")[: depth + 1])
        lines.append(f"{indent}subgraph {_quoted('cluster_' + title)} {{")
        lines.append(f"{indent}  label={_quoted(title)};")
        lines += _clusters(inside, depth + 1, indent + "  ")
        lines.append(f"{indent}}}")
    return lines
