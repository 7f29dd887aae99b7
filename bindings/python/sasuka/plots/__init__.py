"""Pictures of training, results and networks, by Matplotlib.

Each function draws into `ax`, or into a new figure's, and returns the axes, so that what is there can be changed and saved:
``plots.confusion_matrix(...).figure.savefig("confusion.png")``. Captions are English until ``plots.set_language("lt")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import _elsewhere
from .._words import set_language
from .arithmetic import convolution_arithmetic, transposed_arithmetic
from .drawing import network
from .inside import feature_maps, filters, grad_cam
from .results import confusion_matrix, pictures, top_losses
from .training import gradient_norms, history, learning_rates, losses, lr_find

if not _TYPE_CHECKING:  # A type checker knows the names without it.
    __getattr__ = _elsewhere.of_module(__name__, _elsewhere.PLOTS)

__all__ = [
    "confusion_matrix",
    "convolution_arithmetic",
    "feature_maps",
    "filters",
    "grad_cam",
    "gradient_norms",
    "history",
    "learning_rates",
    "losses",
    "lr_find",
    "network",
    "pictures",
    "set_language",
    "top_losses",
    "transposed_arithmetic",
]
