# The commands of the README. `make` alone builds the library.

BUILD := build
PREFIX ?= /usr/local
SWIFT ?= swift
CC := clang

# The engine as Embedded Swift has a scratch folder of its own, so that switching to the tests recompiles nothing.
SCRATCH := .build-embedded
OBJECTS := $(SCRATCH)/release
TARGETS := Sasuka KernelsAVX512 KernelsAVX2 KernelsBaseline
# In C: what Embedded Swift asks of its surroundings, and what runs when the library is loaded.
EMBEDDED := relocate strings

LIBRARY := $(BUILD)/libsasuka.so
# The same library with its symbols: what the gates look at, and what a debugger wants.
UNSTRIPPED := $(BUILD)/libsasuka.debug.so
EXPORTS := $(BUILD)/exports.map

# Without the C compiler's start files, which serve what is not here: C++ objects, profiles, transactional memory.
LINK_FLAGS := -shared -nostartfiles -fuse-ld=lld -Wl,-O2,-soname,libsasuka.so \
  -Wl,-T,Sources/Embedded/discard.ld,-T,Sources/Embedded/strings.ld -Wl,--gc-sections,--icf=all,--as-needed,--no-undefined,--no-eh-frame-hdr,--version-script=$(EXPORTS) -Wl,-z,now,-z,relro \
  -Wl,--pack-dyn-relocs=relr,--use-android-relr-tags,-init=sasuka_relocate -Wl,-Map=$(BUILD)/libsasuka.map

HEADER_FLAGS := -Wall -Wextra -Wpedantic -Werror -fsyntax-only -IInclude

.PHONY: all library demo examples bench bench-layers bench-kinds test test-swift test-hosts test-python wheel typecheck notebooks docs header gates install clean format lint

all: library

# SwiftPM knows what has changed; linking takes a fraction of a second. `sources` lists what each target is made of
# today, so that the object of a deleted file is left out.
library:
	SASUKA_EMBEDDED=1 $(SWIFT) build --configuration release --scratch-path $(SCRATCH) --target Sasuka
	@mkdir -p $(BUILD)
	@for target in $(TARGETS); do \
	  sed "s,.*/\([^']*\).*,$(OBJECTS)/$$target.build/\1.o," $(OBJECTS)/$$target.build/sources; \
	done > $(BUILD)/objects.txt
	@Scripts/version-script.sh > $(EXPORTS)
	@for file in $(EMBEDDED); do \
	  $(CC) -std=gnu11 -Os -fPIC -Wall -Wextra -Werror -c Sources/Embedded/$$file.c -o $(BUILD)/$$file.o || exit 1; \
	done
	$(CC) $(LINK_FLAGS) -o $(UNSTRIPPED) @$(BUILD)/objects.txt $(EMBEDDED:%=$(BUILD)/%.o) -lm
	strip --strip-unneeded --remove-section=.comment -o $(LIBRARY) $(UNSTRIPPED)
	@ls -l $(LIBRARY)

PYTHON := .venv/bin/python

test: gates test-swift test-hosts test-python

# Optimised, because the engine's tests do a lot of arithmetic; what they look at is `package`, so nothing is lost.
test-swift:
	$(SWIFT) test --configuration release --disable-xctest

# Hosts that embed the library.
test-hosts: library
	@mkdir -p $(BUILD)/hosts
	cp $(LIBRARY) $(BUILD)/hosts/copy.so
	$(CC) -std=gnu11 -O1 -Wall -Wextra -Werror -IInclude Tests/Embedding/host.c -o $(BUILD)/hosts/host -ldl -lpthread
	$(BUILD)/hosts/host $(abspath $(LIBRARY)) $(abspath $(BUILD))/hosts/copy.so
	$(CC)++ -std=c++11 -O1 -Wall -Wextra -Werror -IInclude Tests/Embedding/host.cpp -o $(BUILD)/hosts/host_cpp \
	  -L$(BUILD) -lsasuka -lpthread -Wl,-rpath,$(abspath $(BUILD))
	$(BUILD)/hosts/host_cpp

test-python: wheel typecheck
	PYTHONPATH=bindings/python SASUKA_WHEELS=$(abspath dist) $(PYTHON) -m pytest -q -p no:cacheprovider bindings/python/tests
	$(PYTHON) Tests/Embedding/readme.py
	$(PYTHON) Tests/Embedding/bad_arguments.py
	$(PYTHON) Tests/Embedding/python_host.py

# The Python package with the library inside; its tag names the oldest glibc that can load it.
wheel: library
	Scripts/setup-python.sh
	rm -rf dist
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir dist bindings/python
	$(PYTHON) -m auditwheel show dist/*.whl
	@ls -l dist

typecheck:
	Scripts/setup-python.sh
	cd bindings/python && $(abspath $(PYTHON)) -m mypy --cache-dir $(abspath $(BUILD))/mypy

# The notebooks in both languages, executed, into build/notebooks: some minutes. On Fashion-MNIST where it can be fetched,
# else on scikit-learn's digits. NOTEBOOKS="01_convolution_arithmetic" makes some of them.
notebooks: library
	Scripts/setup-python.sh
	Scripts/fetch-fashion-mnist.sh || echo "notebooks: without Fashion-MNIST, on handwritten digits"
	PYTHONPATH=bindings/python $(PYTHON) bindings/python/notebooks/build.py $(NOTEBOOKS) --output $(BUILD)/notebooks --execute

# The documentation site: README, docstrings, header, and the notebooks where they have been executed.
docs: library
	Scripts/setup-python.sh
	$(PYTHON) Documentation/build.py
	@echo "docs: $(BUILD)/docs/html/index.html"

# Nothing is linked: the compilers compare the header with what Tests/Embedding/header.c says of it.
header:
	$(CC) -std=c99 $(HEADER_FLAGS) Tests/Embedding/header.c
	$(CC)++ -std=c++11 $(HEADER_FLAGS) Tests/Embedding/header.cpp

gates: library header
	python3 Tests/Gates/library.py $(BUILD) $(OBJECTS)
	python3 Tests/Gates/exports.py $(LIBRARY) Include/sasuka.h
	$(CC) -std=c99 -Wall -Wextra -Werror -IInclude Tests/Embedding/header.c -L$(BUILD) -lsasuka -Wl,-rpath,$(abspath $(BUILD)) -o $(BUILD)/header
	$(BUILD)/header

examples: library
	$(MAKE) -C Examples PREFIX=

# Trains on real pictures, saves, starts afresh and reloads: some minutes. DATA=FOLDER uses IDX files of your own.
demo: examples
	@data="$(DATA)"; [ -n "$$data" ] || data=$$(Scripts/fetch-fashion-mnist.sh) || exit 1; \
	  $(BUILD)/examples/fashion_mnist --data "$$data" --output $(BUILD)/demo

# Sasuka beside other engines: some minutes for each network. SASUKA_PEERS names an environment that has them.
BATCH ?= 1
THREADS ?= 1
bench: library
	@python=$$(Benchmarks/setup-peers.sh) && $$python Benchmarks/compare.py $(NETWORKS) --batch $(BATCH) --threads $(THREADS) \
	  $(if $(PEERS),--peers $(PEERS)) $(BENCH_OPTIONS)

# Layers that the networks of `bench` lack, and small networks, beside other engines. KINDS: parts of their names; all if none.
bench-kinds: library
	@python=$$(Benchmarks/setup-peers.sh) && $$python Benchmarks/kinds.py $(KINDS) --batch $(BATCH) --threads $(THREADS)

# Where the time of one network goes, layer by layer.
NETWORK ?= resnet50
bench-layers: library
	@Scripts/setup-python.sh
	@$(PYTHON) Benchmarks/layers.py $(NETWORK) --batch $(BATCH) --threads $(THREADS) --compiler $(CC) $(BENCH_OPTIONS)

install: library
	Scripts/install.sh $(LIBRARY) "$(PREFIX)"

clean:
	rm -rf $(BUILD) $(SCRATCH) .build dist

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests
