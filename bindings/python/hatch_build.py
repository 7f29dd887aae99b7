"""Puts the library and its header into the wheel and names the oldest glibc that can load it in the wheel's tag."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def required_glibc(library: Path) -> tuple[int, int]:
    """The newest symbol version of glibc that the library's table of strings asks for."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())
    if not versions:
        raise RuntimeError(f"{library} asks for no version of glibc; a shared library for Linux is expected")
    return max((int(major), int(minor)) for major, minor in versions)


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling calls `initialize` before it packs a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        checkout = Path(self.root).resolve().parents[1]
        library = Path(os.environ.get("SASUKA_LIBRARY") or checkout / "build" / "libsasuka.so")
        if not library.exists():
            raise RuntimeError(f"{library} does not exist; `make` builds it")
        major, minor = required_glibc(library)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_{major}_{minor}_{platform.machine()}"
        build_data["force_include"][str(library)] = "sasuka/libsasuka.so"
        build_data["force_include"][str(checkout / "Include" / "sasuka.h")] = "sasuka/include/sasuka.h"
        build_data["force_include"][str(checkout / "LICENSE")] = "sasuka/LICENSE"
