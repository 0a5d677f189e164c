# Every target sets up what it needs; a fresh machine needs Python 3.10-3.13 and make alone.
PYTHON  ?= python3
VENV    ?= .venv
# cpu or gpu: which build of PaddlePaddle `make setup` installs.
EXTRA   ?= cpu

BIN     := $(VENV)/bin
READY   := $(VENV)/.ready-$(EXTRA)

# make finetune-cityscapes CITYSCAPES=dir WEIGHTS=file MODEL=stdc1|stdc2 OUTPUT=dir DEVICES=0,1,2
CITYSCAPES ?=
WEIGHTS    ?=
MODEL      ?= stdc1
DEVICES    ?=
OUTPUT     ?= runs/cityscapes
ARGS       ?=
FUZZ       ?= 100000
FUZZ_DUMPS ?= 20000
FUZZ_OTHERS ?= 20000
KILLS      ?= 100

.PHONY: setup test lint fuzz faults demo parity finetune-cityscapes ablation bench docs docs-traps docs-tour docs-api clean help
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

setup: $(READY) ## make the virtual environment and install everything into it

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[$(EXTRA),train,export,dev]'
	@# The evaluator of Cityscapes, for the tests; what it asks for breaks newer Pythons (typing).
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt --no-deps cityscapesscripts pyquaternion
	@touch $@

lint: $(READY) ## style, docstrings and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One process a core, so one thread a process.
test: lint ## lint and all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The same files for the same seeds: make fuzz FUZZ="100000 7" begins with seed 7.
fuzz: $(READY) ## try 100 000 broken files of every format under guard
	cd tests/fuzz && PYTHONPATH=../.. $(abspath $(BIN))/python -W ignore campaign.py checkpoints $(FUZZ)
	cd tests/fuzz && PYTHONPATH=../.. $(abspath $(BIN))/python -W ignore campaign.py dumps $(FUZZ_DUMPS)
	cd tests/fuzz && PYTHONPATH=../.. $(abspath $(BIN))/python -W ignore campaign.py others $(FUZZ_OTHERS)
	cd tests/fuzz && PYTHONPATH=../.. $(abspath $(BIN))/python -W ignore guided.py -max_total_time=60

faults: $(READY) ## kill convert, parity and training 100 times with each of three signals
	PYTHONPATH=. $(BIN)/python -W ignore tests/faults/kills.py $(KILLS) --jobs 2

demo: $(READY) ## the whole path on generated data: train in torch, convert, prove, fine-tune in Paddle
	$(BIN)/stdc-seg cityscapes --output runs/demo $(ARGS)

parity: $(READY) ## prove the four networks equal in both frameworks, layer by layer
	@for arch in stdc1 stdc2 stdc1-seg stdc2-seg; do $(BIN)/stdc-parity --arch $$arch $(ARGS) || exit $$?; done

finetune-cityscapes: $(READY) ## the same on Cityscapes: CITYSCAPES=dir WEIGHTS=file MODEL=stdc1|stdc2 DEVICES=0,1,2
	$(BIN)/stdc-seg cityscapes --output $(OUTPUT) --model $(MODEL) \
	  $(if $(CITYSCAPES),--cityscapes '$(CITYSCAPES)') $(if $(WEIGHTS),--weights '$(WEIGHTS)') \
	  $(if $(DEVICES),--devices '$(DEVICES)') $(ARGS)

ablation: $(READY) ## fine-tune from converted weights and from scratch: three seeds each, mean, spread, one plot
	$(BIN)/stdc-seg ablation --output runs/ablation --set train.iterations=120 $(ARGS)

bench: $(READY) ## measure everything beside other ways: benchmarks/RESULTS.md (ARGS=--list: its sections)
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(READY) ## build the documents into build/docs
	$(BIN)/mkdocs build --strict --site-dir build/docs

docs-traps: $(READY) ## measure the catalogue of traps and write docs/traps.md again
	mkdir -p build && $(BIN)/stdc-parity traps --quiet --json build/traps.json
	$(BIN)/python docs/tools/traps_page.py build/traps.json

docs-tour: $(READY) ## run docs/tour.ipynb and store what it shows
	PYTHONPATH=. $(BIN)/python docs/tools/store_tour.py

docs-api: $(READY) ## list the public names in docs/api.md
	PYTHONPATH=. $(BIN)/python docs/tools/api_page.py

clean: ## remove what the targets made, the environment too
	rm -rf $(VENV) runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
