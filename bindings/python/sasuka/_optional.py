"""Packages that some functions use and none needs: imported when they are, with advice where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def require(module: str, extra: str, purpose: str) -> Any:
    """A module of an optional package; ImportError says what it is for and how it is installed."""
    try:
        return import_module(module)
    except ImportError as reason:
        raise ImportError(f'{purpose} needs {module.split(".")[0]}: pip install "sasuka[{extra}]"') from reason


def pillow() -> Any:
    """PIL.Image."""
    return require("PIL.Image", "vision", "reading picture files")


def pyplot() -> Any:
    """matplotlib.pyplot."""
    return require("matplotlib.pyplot", "plots", "plotting")
