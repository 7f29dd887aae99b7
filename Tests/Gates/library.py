#!/usr/bin/env python3
"""What the shipped library must be, checked on the files that `make` left: needs, size, relocations, instructions.

Usage: library.py BUILD OBJECTS
BUILD holds libsasuka.so, libsasuka.debug.so and libsasuka.map; OBJECTS holds the targets' object folders.
"""
import bisect
import re
import subprocess
import sys
from pathlib import Path

SIZE_LIMIT = 1_000_000
NEEDED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}

# Each instruction-set target, with the C function that fills its table.
KERNELS = {
    "KernelsAVX512": "sasuka_kernels_avx512",
    "KernelsAVX2": "sasuka_kernels_avx2",
    "KernelsBaseline": "sasuka_kernels_baseline",
}
# What kernels may ask of the rest of the world: nothing of Swift's runtime, no allocation, no thread.
KERNEL_NEEDS = {"memcpy", "memmove", "memset", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
KERNEL_NEEDS |= {"expf", "logf", "log1pf", "tanhf", "sqrtf", "powf"}
# Data that every Swift object carries, the same whatever the flags.
EVERYWHERE = {"__swift_reflection_version"}

# Every instruction of AVX and later has a name in v; only registers tell AVX-512 from AVX2.
VEX = re.compile(r"^v(?!er[rw]\b)")
AVX512 = re.compile(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2\d|3[01])\b")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_needs(library):
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "-d", "-W", str(library))))
    yield from (f"{library} needs {name}" for name in sorted(needed - NEEDED))
    print(f"needs: {' '.join(sorted(needed))}")


def check_size(library):
    size = library.stat().st_size
    if size >= SIZE_LIMIT:
        yield f"{library} has {size} bytes; the limit is {SIZE_LIMIT}"
    print(f"size: {size} bytes of {SIZE_LIMIT}")


def check_relocations(library):
    """The library unpacks its own addresses: none is left to the loader, and no tag that glibc before 2.36 lacks."""
    if "R_X86_64_RELATIVE" in output_of("readelf", "-rW", str(library)):
        yield f"{library} has relative relocations that are not packed"
    if "(RELR" in output_of("readelf", "-dW", str(library)):
        yield f"{library} leaves packed relocations to the loader, which older systems do not know"


def check_kernel_objects(objects):
    """No symbol that the linker could share among targets, and no need beyond the short list."""
    for target, entry in KERNELS.items():
        own = re.compile(rf"\$s{len(target)}{target}|{entry}$")
        files = sorted((objects / f"{target}.build").glob("*.o"))
        if not files:
            yield f"no objects of {target} under {objects}"
        for line in output_of("nm", "--extern-only", "-A", *map(str, files)).splitlines():
            file, _, rest = line.partition(":")
            kind, name = rest.split()[-2:]
            if kind in "Uw":
                allowed = name in KERNEL_NEEDS or own.match(name)
            else:
                allowed = name in EVERYWHERE or own.match(name)
            if not allowed:
                verb = "needs" if kind in "Uw" else "defines"
                yield f"{target}/{Path(file).name} {verb} {name}"


def text_ranges(link_map):
    """Where each object's code lies: (start, end, folder of the object), sorted."""
    ranges = []
    for line in link_map.read_text().splitlines():
        match = re.match(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+\s+(\S+):\((\.text\S*)\)", line)
        if match and int(match[2], 16):
            start = int(match[1], 16)
            ranges.append((start, start + int(match[2], 16), Path(match[3]).parent.name.removesuffix(".build")))
    return sorted(ranges)


def check_instructions(library, link_map):
    """AVX only in code that the AVX2 and AVX-512 targets brought, AVX-512 only in the latter's."""
    ranges = text_ranges(link_map)
    starts = [start for start, _, _ in ranges]
    instruction = re.compile(r"\s*([0-9a-f]+):\t(\S+)\s*(.*)")
    counts = dict.fromkeys(KERNELS, 0)
    strangers = {}
    function = ""
    for line in output_of("objdump", "-d", "--no-show-raw-insn", str(library)).splitlines():
        match = instruction.match(line)
        if not match:
            function = line if line.endswith(">:") else function
            continue
        address, mnemonic, operands = int(match[1], 16), match[2], match[3]
        if not VEX.match(mnemonic):
            continue
        place = bisect.bisect_right(starts, address) - 1
        inside = place >= 0 and address < ranges[place][1]
        target = ranges[place][2] if inside else "?"
        permitted = {"KernelsAVX512"} if AVX512.search(operands) else {"KernelsAVX512", "KernelsAVX2"}
        if target in permitted:
            counts[target] += mnemonic.startswith(("vfmadd", "vfnmadd", "vfmsub", "vfnmsub"))
        else:
            strangers.setdefault((target, function), f"{mnemonic} {operands}")
    yield from (f"{target}: {name} {text}" for (target, name), text in sorted(strangers.items()))
    print("FMA instructions: " + ", ".join(f"{target} {count}" for target, count in counts.items()))


def main():
    build, objects = map(Path, sys.argv[1:])
    library, unstripped = build / "libsasuka.so", build / "libsasuka.debug.so"
    failures = [
        *check_needs(library),
        *check_size(library),
        *check_relocations(library),
        *check_kernel_objects(objects),
        *check_instructions(unstripped, build / "libsasuka.map"),
    ]
    for failure in failures:
        print(f"gate: {failure}", file=sys.stderr)
    sys.exit(f"gates: {len(failures)} failures" if failures else 0)


if __name__ == "__main__":
    main()
