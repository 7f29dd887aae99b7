"""Header and bindings say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sasuka
from sasuka import _library, errors

HEADER = Path(__file__).resolve().parents[3] / "Include" / "sasuka.h"
TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
FUNCTIONS = dict(re.findall(r"^[\w ]+[ *]sasuka_(\w+)\(([^;]*)\);", TEXT, flags=re.M | re.S))
STRUCTS = {
    "tensor": _library.Tensor,
    "progress": _library.Progress,
    "window": _library.Window,
    "convolution_options": _library.ConvolutionOptions,
    "pool_options": _library.PoolOptions,
    "batch_norm_options": _library.BatchNormOptions,
    "resize_options": _library.ResizeOptions,
    "model_options": _library.ModelOptions,
    "preprocessing": _library.Preprocessing,
    "picture": _library.Picture,
    "load_options": _library.LoadOptions,
    "parameter_info": _library.ParameterInfo,
    "layer_info": _library.LayerInfo,
    "session_options": _library.SessionOptions,
    "profile_row": _library.ProfileRow,
    "train_options": _library.TrainOptions,
    "schedule_options": _library.ScheduleOptions,
    "evaluation": _library.Evaluation,
}


def test_every_function_is_declared_and_no_other() -> None:
    declared = set(_library.CHECKED) | set(_library.PLAIN)
    assert len(FUNCTIONS) > 80
    assert declared == set(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_takes_as_many_arguments(name: str) -> None:
    parameters = FUNCTIONS[name].strip()
    count = 0 if parameters == "void" else parameters.count(",") + 1
    arguments = _library.CHECKED[name] if name in _library.CHECKED else _library.PLAIN[name][1]
    assert len(arguments) == count


def test_every_struct_has_the_same_fields() -> None:
    found = dict((name, body) for body, name in re.findall(r"typedef struct \w+ \{([^}]*)\} sasuka_(\w+);", TEXT))
    assert set(found) == set(STRUCTS)
    for name, body in found.items():
        names = [re.sub(r"\[\w+\]|.*[ *]", "", part.strip()) for part in re.split(r"[;,]", body) if part.strip()]
        assert names == [field for field, *_ in STRUCTS[name]._fields_], name


def test_header_and_library_are_where_c_programs_find_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (sasuka.include_path() / "sasuka.h").read_text() == HEADER.read_text()
    assert sasuka.library_path().is_file() and sasuka.library_path().is_absolute()
    monkeypatch.setenv("SASUKA_LIBRARY", str(tmp_path / "other.so"))
    assert sasuka.library_path() == (tmp_path / "other.so").resolve()
    monkeypatch.setattr(_library, "__file__", str(tmp_path / "a" / "b" / "c" / "_library.py"))
    with pytest.raises(errors.FileError, match="sasuka.h is neither in"):
        sasuka.include_path()
