# What there is to do with this repository; `make help` lists it. The work itself is in CMake and in tools/.

BUILD     := build/default
JOBS      := $(shell nproc)
comma     := ,
# What `make bench` writes; one from another machine will do as well.
RESULTS   := $(BUILD)/benchmark/benchmark.json
# Of `make soak`.
MINUTES   := 30
# How long the fuzz targets run, all together: by themselves, and as one of the tests.
SECONDS   := 600
# What the demo needs of the build; the tests are not among it.
DEMO      := ggml-virtgpu ggml-virtgpu-worker ggml-virtgpu-host qemu-without-kvm
# The root folder is / where the machine's own packages will do, and CMake then finds ggml by itself.
SYSROOT    = $(patsubst /,,$(shell tools/bootstrap/sysroot --path))

export QEMU GUEST_KERNEL DEVICE_KIND

.PHONY: help setup configure build sanitized test fuzz conformance hostile soak demo vm interop bench bench-plots deb deb-test format lint generate clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## apt packages, and Debian's newer ggml, llama.cpp and QEMU in .sysroot/
	@tools/bootstrap/install-packages
	@tools/bootstrap/sysroot

configure: setup
	@mkdir -p build
	@cmake --preset default -DVIRTGPU_SYSROOT=$(SYSROOT) >$(BUILD).configure.log 2>&1 \
	    || { cat $(BUILD).configure.log; exit 1; }

build: configure ## both sides and the tests
	@cmake --build $(BUILD) -j $(JOBS)

# What the tests `fuzz` and `tsan` run, which skip where it is not built: the fuzz targets, and rings and streams under
# ThreadSanitizer.
sanitized: setup
	@for preset in fuzz tsan; do \
	    cmake --preset $$preset -DVIRTGPU_SYSROOT=$(SYSROOT) >build/$$preset.configure.log 2>&1 \
	        || { cat build/$$preset.configure.log; exit 1; }; done
	@cmake --build --preset fuzz -j $(JOBS)
	@cmake --build --preset tsan -j $(JOBS)

test: build sanitized ## everything, in virtual machines as well, on the oldest QEMU and kernel too
	@tools/interop/interop --fetch
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

fuzz: sanitized ## the fuzz targets for SECONDS=600; findings and corpus in build/fuzz/out
	@tools/fuzz/campaign --seconds $(SECONDS) --jobs $(JOBS)

conformance: ## all of ggml's and llama.cpp's own tests, remotely; ONLY=ops,archs,... BACKEND=cpu|vulkan AGAIN=1
	@tools/bootstrap/install-packages
	@tools/bootstrap/sysroot --with conformance
	@$(MAKE) --no-print-directory build
	@tools/conformance/conformance --jobs $(JOBS) $(if $(ONLY),--only $(ONLY)) $(if $(BACKEND),--backend $(BACKEND)) \
	    $(if $(AGAIN),--again)

hostile: build ## 10,000 hostile sequences beside a well-behaved client, and 200 killed workers
	@VIRTGPU_KILLS=200 VIRTGPU_BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/hostile
	@VIRTGPU_BUILD=$(BUILD) tests/hostile/hostile

soak: build ## MINUTES=30 of mixed load, then once more under heaptrack; BUILD=build/asan for the sanitizers
	@VIRTGPU_BUILD=$(BUILD) tests/hostile/soak --minutes $(MINUTES)
	@VIRTGPU_BUILD=$(BUILD) tests/hostile/soak --minutes $(MINUTES) --heaptrack

demo: configure ## llama.cpp in a stock guest computes on this machine (QEMU=/path for your own)
	@cmake --build $(BUILD) -j $(JOBS) --target $(DEMO)
	@tools/demo

# QEMU is a program and GUEST_KERNEL a root folder with a kernel, such as .interop/bookworm/qemu and .interop/bookworm.
vm: build ## the VM tests with a QEMU=…, GUEST_KERNEL=…, DEVICE_KIND=… of yours; ONLY=doctor,faults,...
	@QEMU=$(abspath $(QEMU)) GUEST_KERNEL=$(abspath $(GUEST_KERNEL)) VIRTGPU_BUILD=$(BUILD) \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	    $(if $(ONLY),$(patsubst %,tests/vm/test_%.py,$(subst $(comma), ,$(ONLY))),tests/vm)

interop: configure ## the demo on every QEMU and guest kernel of Debian 12 to forky; ONLY=7.2/6.1,... DEVICE_KIND=...
	@cmake --build $(BUILD) -j $(JOBS) --target $(DEMO)
	@tools/interop/interop $(if $(ONLY),--only $(ONLY))

bench: build ## what remoting costs (BENCH=--help for how to measure parts of it)
	@tools/benchmark/benchmark $(BENCH)

bench-plots: ## docs/performance/*.svg from RESULTS, a file that a benchmark wrote
	@tools/benchmark/benchmark --from $(RESULTS) --plots docs/performance

deb: ## Debian packages in build/deb, built in a root folder of forky (root or user namespaces; mmdebstrap)
	@tools/package/build-packages build/deb

deb-test: ## installs the packages of build/deb into an empty root folder of forky and tries them
	@tools/package/test-packages build/deb

format: ## clang-format over all C++
	@tools/format

lint: configure ## clang-tidy, clang-format, shellcheck
	@tools/lint $(BUILD)

generate: ## the code that follows from protocol/ggmlremoting_functions.yaml
	@/usr/bin/python3 protocol/regenerate_remoting.py

clean: ## what was built; the sysroot stays
	rm -rf build
