"""Calls every function of the header with what no caller should pass. Each must answer with a status and a message, change
nothing, and leave the process alive: every function has a process of its own, so that one that dies is named."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings" / "python"))

from sasuka import _library as declared  # noqa: E402

lib = ctypes.CDLL(str(declared.find_library()))
INTEGERS = {ctypes.c_int32: 32, ctypes.c_int64: 64, ctypes.c_size_t: 64, ctypes.c_uint64: 64}
DOUBLES = [float("nan"), float("inf"), -1.0, 0.0, 1e308]
# Whose handle comes first: what the function is named after, but for those that make one thing of another.
TAKES = {"model_create_from_graph": 0, "session_create": 1, "trainer_create": 1}
HANDLES = {"graph": 0, "model": 1, "session": 2, "trainer": 3}


def prepare() -> list[ctypes.c_void_p]:
    """A graph, a model, a session and a trainer that work."""
    import sasuka

    prepare.kept = graph = sasuka.Graph((2, 5, 5))
    x = graph.linear(graph.flatten(graph.batch_norm2d(graph.conv2d(graph.input, "conv", 3, 3), "bn")), "fc", 4)
    model = graph.model(x)
    session, trainer = model.session((1, 2, 5, 5)), sasuka.Trainer(model)
    prepare.kept = (graph, model, session, trainer)
    return [graph._handle, model._handle, session._handle, trainer._handle]


def weights() -> bytes:
    state = prepare.kept[1].state_dict()
    return b"".join(state[name].tobytes() for name in sorted(state))


def candidates(kind: object) -> list[object]:
    """Bad values of an argument's type, and harmless ones."""
    if kind in INTEGERS:
        bits = INTEGERS[kind]
        return [0, -1, 1, 2, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]
    if kind is ctypes.c_double:
        return DOUBLES
    if kind is ctypes.c_bool:
        return [False, True]
    if kind is ctypes.c_char_p:
        return [None, b"", b"no such \xff\xfe name", b"conv.weight"]
    if kind is ctypes.c_void_p or isinstance(kind, type(declared.ProgressFunction)):
        return [None]
    pointed = kind._type_
    if pointed is declared.LayerInfo:
        return [None, (pointed * 64)()]
    if issubclass(pointed, ctypes.Structure):
        return [None, pointed(), *broken(pointed)]
    # An array of eight small numbers, and one of absurd ones.
    if pointed in (ctypes.c_int64, ctypes.c_int32):
        return [None, (pointed * 8)(*[1] * 8), (pointed * 8)(*[2 ** (INTEGERS[pointed] - 2)] * 8), (pointed * 8)(*[-3] * 8)]
    return [None, (pointed * 8)()]


def broken(kind: type[ctypes.Structure]) -> list[ctypes.Structure]:
    """Structs whose numbers are absurd; tensors of absurd shapes point at real memory."""
    if kind is declared.Tensor:
        memory = (ctypes.c_float * 4096)()
        shapes = [(1, 2, 5, 5), (2**40, 2**40, 1, 1), (0, 2, 5, 5), (-1, 2, 5, 5), (1, 2, 4, 5), (1, 4), (1,)]
        made = []
        for shape, dtype in itertools.product(shapes, (0, 4, 77)):
            sizes = (ctypes.c_int64 * 8)(*shape)
            made.append(kind(ctypes.addressof(memory), dtype, len(shape), ctypes.addressof(sizes)))
            made[-1].kept = memory, sizes
        made.append(kind(ctypes.addressof(memory), 0, 1000, made[0].shape))
        made.append(kind(ctypes.addressof(memory), 0, 4))
        return made
    made = []
    size = ctypes.sizeof(kind)
    for number in (-1, 2**31 - 1, 1):
        options = kind()
        for name, field, *_ in kind._fields_:
            if name == "struct_size":
                options.struct_size = size
            elif field in INTEGERS:
                setattr(options, name, number)
            elif field is ctypes.c_double:
                setattr(options, name, DOUBLES[number % len(DOUBLES)])
            elif hasattr(field, "_length_") and issubclass(field._type_, (ctypes.c_int64, ctypes.c_double)):
                getattr(options, name)[:] = [number] * field._length_
        made.append(options)
    if kind._fields_[0][0] == "struct_size":
        made.append(kind(1))
        made.append(kind(2**63))
    return made


def attack(name: str) -> int:
    """Calls one function in many wrong ways; returns how many calls were refused."""
    arguments = declared.CHECKED[name]
    function = getattr(lib, "sasuka_" + name)
    function.argtypes, function.restype = arguments, ctypes.c_int32
    lib.sasuka_last_error.restype = ctypes.c_char_p
    handles, refused = prepare(), 0
    before = weights()
    owner = TAKES.get(name, HANDLES.get(name.split("_")[0]))
    lists = [candidates(kind) for kind in arguments]
    if owner is not None and arguments[0] is ctypes.c_void_p:
        lists[0] = [None, handles[owner]]
    if name.endswith("_from_memory"):
        garbage = ctypes.create_string_buffer(b"PK\x03\x04garbage" * 20)
        lists[1] = [None, ctypes.addressof(garbage)]
        lists[2] = [0, 1, 8, 100, 2**63]
    for values in combinations(lists):
        status = function(*values)
        if status != 0:
            refused += 1
            assert lib.sasuka_last_error(), f"{name}{values} gave {status} without a message"
            assert lib.sasuka_status_name(status), status
    if not name.startswith(("model_set", "model_init", "model_train", "trainer_", "model_load")):
        assert weights() == before, f"{name} changed the weights"
    return refused


def combinations(lists: list[list[object]]) -> object:
    """Every combination, or where these are too many: every value of each argument beside the last of the others."""
    total = 1
    for values in lists:
        total *= len(values)
    if total <= 3000:
        yield from itertools.product(*lists)
        return
    for base in (0, 1, -1):
        plain = [values[min(base, len(values) - 1)] for values in lists]
        for place, values in enumerate(lists):
            for value in values:
                yield (*plain[:place], value, *plain[place + 1 :])


def main() -> None:
    failures, refused = [], 0
    command = [sys.executable, str(Path(__file__).resolve())]
    for name in declared.CHECKED:
        # Some calls are right by chance, and save a file of a strange name.
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([*command, name], capture_output=True, text=True, timeout=300, cwd=folder)
        if done.returncode != 0:
            failures.append(f"{name}: exit {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        else:
            refused += int(done.stdout)
            if int(done.stdout) == 0:
                failures.append(f"{name}: no call was refused")
    for name in ("graph", "model", "session", "trainer"):
        getattr(lib, f"sasuka_{name}_destroy")(None)
    if failures:
        sys.exit("bad arguments:\n" + "\n".join(failures))
    print(f"bad arguments: {len(declared.CHECKED)} functions refused {refused} calls")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(attack(sys.argv[1]))
    else:
        main()
