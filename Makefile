# One line a task; `make` lists them. Everything runs in .venv, which need not be activated; `make contract` also
# in .venv-notes.

PYTHON ?= python3
CORES ?= 2
CONFIG ?= config/study.yaml
UV ?= uv
TEXTS ?=
DEVICE ?= cpu
SHAPE ?= gpt2
BENCH ?=
OSV ?=
FUZZ ?=

# A study is some fifty short jobs, the tests hundreds: where a container's variable forbids byte code, each compiles for
# 3 to 8 s what it imports.
export PYTHONDONTWRITEBYTECODE :=

BROWSERS := chromium chromium-browser google-chrome

BIN := .venv/bin
# Snakemake, DVC and the rules' commands start further programs of the environment by name. Only here, not for
# the whole file: $(PYTHON) must stay the one outside the environment that it makes.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# The study's name, as Python reads it from YAML: in quotes, with a comment behind it. What is wrong, snakemake says.
NAME = $(shell $(BIN)/python -c "import pathlib, sys; from linear_probing.settings import load; \
	print(load(pathlib.Path(sys.argv[1])).name)" "$(CONFIG)" 2> /dev/null)
PYTEST := $(RUN) OMP_NUM_THREADS=1 $(BIN)/pytest tests
# Waiting threads sleep: where other programs run beside, those that spin take the time of those that work.
BENCHMARK := $(RUN) OMP_WAIT_POLICY=PASSIVE $(BIN)/python benchmarks
LOCK := $(UV) pip compile --universal --generate-hashes --python-version 3.11 -q --no-header --no-annotate \
	--no-emit-index-url

.DEFAULT_GOAL := help
# Every target with a line of help; none is a file.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile
	@echo "Variables: CONFIG=$(CONFIG) (of study, plan, figures, report and paper), CORES=$(CORES) (of the study), PYTHON=$(PYTHON) (which makes .venv)"

setup: ## make .venv as envs/study.lock has it; does nothing when it is there
	@$(PYTHON) envs/install.py envs/study.lock

develop: ## make .venv as envs/develop.lock has it: the study, the checks and the tests
	@$(PYTHON) envs/install.py envs/develop.lock

setup-storage: ## make .venv with what DVC needs to keep results in an S3 bucket besides (docs/sharing.md)
	@$(PYTHON) envs/install.py envs/storage.lock

setup-browser: ## install Debian's Chromium, which the test of the report drives; does nothing where there is one
	@for name in $(BROWSERS); do if command -v $$name; then exit 0; fi; done; \
	if ! command -v apt-get > /dev/null; then \
		echo "there is no apt-get; do: install Chromium as this system installs programs" >&2; exit 1; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "apt-get must be root; do: sudo apt-get update && sudo apt-get install -y chromium" >&2; exit 1; fi; \
	apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core

setup-slurm: ## install Debian's Slurm and munge, which make test-slurm starts; does nothing where they are
	@if command -v munged && command -v slurmctld && command -v slurmd; then exit 0; fi; \
	if ! command -v apt-get > /dev/null; then \
		echo "there is no apt-get; do: install slurm-wlm and munge as this system installs programs" >&2; exit 1; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "apt-get must be root; do: sudo apt-get update && sudo apt-get install -y slurm-wlm munge" >&2; exit 1; fi; \
	apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge

study: models ## run a study, the default one or CONFIG=FILE, up to results/studies
	$(RUN) $(BIN)/snakemake --cores $(CORES) --configfile "$(CONFIG)"
	@$(MAKE) --no-print-directory golden

causal: ## interventions along the probes' directions, each beside a thousand random ones: config/causal.yaml, a quarter of an hour
	@$(MAKE) --no-print-directory study CONFIG=config/causal.yaml

models: setup ## install the packages that ship a model's weights, if the configuration names any (CONFIG=FILE)
	@$(BIN)/python envs/models.py "$(CONFIG)"

plan: setup ## what a study will cost, before it is spent: targets, tokens, bytes, memory, time (CONFIG=FILE)
	@$(RUN) $(BIN)/python -m linear_probing.plan --config "$(CONFIG)"

figures: setup ## draw every figure of a study anew from its tables, without a model (CONFIG=FILE)
	$(RUN) $(BIN)/python -m linear_probing.figures --config "$(CONFIG)" --threads $(CORES)

gallery: setup ## write docs/figures anew, or docs/figures/STUDY: figures at a web page's size, with their captions (CONFIG=FILE)
	$(RUN) $(BIN)/python -m linear_probing.gallery --config "$(CONFIG)" \
		--output "docs/figures$(if $(filter-out atlas,$(NAME)),/$(NAME))"

report: setup ## the page to explore and Snakemake's own report, from the tables, which are made if they are not there (CONFIG=FILE)
	$(RUN) $(BIN)/snakemake --cores $(CORES) --configfile "$(CONFIG)" -- report figures
	$(RUN) $(BIN)/snakemake --cores 1 --configfile "$(CONFIG)" --report "results/studies/$(NAME)/snakemake.html" -- pictures

paper: setup ## the paper and the main table, from the tables and figures of CONFIG, which are made if they are not there
	$(RUN) $(BIN)/snakemake --cores $(CORES) --configfile "$(CONFIG)" -- paper

golden: setup ## are a study's tables the committed ones? (CONFIG=FILE; tests/golden says within which tolerances)
	$(RUN) $(BIN)/python -m linear_probing.golden --config "$(CONFIG)"

verify: setup ## compare every file under results with its record, and every digest with today's code and configuration
	@$(RUN) $(BIN)/python -m linear_probing.verification

prune: setup ## remove the results that no study asks for
	@$(RUN) $(BIN)/python -m linear_probing.pruning

pull: setup ## restore what DVC's remote has of this commit's results, all of it or what there is
	@$(RUN) $(BIN)/python -m linear_probing.pulling

atlas: setup ## train the embedded model again, up to an hour (the study uses the committed weights)
	$(RUN) $(BIN)/python -m linear_probing.atlas.training --output data/models/atlas

check: develop ## style, types and the workflow's own lint
	$(RUN) $(BIN)/ruff check
	$(RUN) $(BIN)/ruff format --check
	$(RUN) $(BIN)/snakefmt --check Snakefile workflow
	$(RUN) $(BIN)/mypy
	$(RUN) $(BIN)/snakemake --lint

# A third process works while two wait for a browser or a program that they started.
test: develop ## the tests of a change: every tier but the slow ones, and of the workflow's its core
	$(PYTEST) -m '(not workflow and not faults or core) and not committed and not slow' -n 3 --dist loadgroup

test-unit: develop ## every test that does not run snakemake
	$(PYTEST) -m 'not workflow and not faults and not committed and not slow' -n 3 --dist loadgroup

test-slow: develop ## own data and a hub's model from end to end, simulations; further cases of what make test has some of
	$(PYTEST) -m slow -n 2 --dist loadgroup

test-workflow: develop ## the tests that run snakemake and DVC on small studies, in clones, minutes
	$(PYTEST) -m 'workflow and not slow' -n 2 --dist loadgroup

test-faults: develop ## kills, full disks, damage and clocks on a small study, and what is lost, into docs/reliability.md
	$(PYTEST)/faults -n 2 --dist loadgroup --write-documents

test-slurm: develop setup-slurm ## the tiny study on a real Slurm of one node, with a job killed; as root, some ten minutes
	$(PYTEST)/slurm/cluster.py

fuzz: develop ## thousands of examples of what may be read: configurations, data files, spans, damaged bytes; minutes (FUZZ=options of pytest)
	$(PYTEST)/fuzz --hypothesis-profile nightly -n 2 --dist load $(FUZZ)

audit: ## are there known vulnerabilities in what envs/*.lock pin? asks api.osv.dev, in .venv-audit (OSV=another address)
	@$(PYTHON) envs/install.py envs/audit.lock --environment .venv-audit
	@.venv-audit/bin/python envs/audit.py $(if $(OSV),--osv-url "$(OSV)")

test-storage: develop ## DVC with a real S3 server on loopback: push, clone, pull, figures; makes two more environments
	@$(PYTHON) envs/install.py envs/s3-server.lock --environment .venv-s3
	@$(PYTHON) envs/install.py envs/storage.lock --environment .venv-storage
	$(PYTEST)/storage -m storage

validate: develop ## the statistics on simulations of known truth, with limits, into docs/validation.md, minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m linear_probing.validation --cores $(CORES) --output docs/validation.md

committed: develop ## is dvc.lock of today's code and data? (dvc repro, with no other study under results, and commit it)
	$(PYTEST)/unit/test_dvc.py -m committed

contract: develop ## what holds in the nnsight of the study and of the founding notes, into docs/nnsight.md
	@$(PYTHON) envs/install.py envs/notes.lock --environment .venv-notes
	mkdir -p logs
	OMP_NUM_THREADS=1 .venv-notes/bin/python -m pytest tests/contract --claims logs/contract-notes.json
	$(PYTEST)/contract --claims logs/contract-study.json
	$(BIN)/python tests/contract/report.py logs/contract-notes.json logs/contract-study.json --output docs/nnsight.md

references: develop ## write the small pictures anew that tests compare every figure with, to be looked at
	$(PYTEST)/unit/test_images.py --write-figures

architectures: develop ## write docs/architectures.md anew, as the tests find it
	$(PYTEST)/model/test_architectures.py --write-documents

bench-extraction: develop ## time extraction against others' ways (TEXTS=FOLDER, DEVICE=cuda, BENCH=more options)
	$(BENCHMARK)/extraction.py --device $(DEVICE) $(if $(TEXTS),--texts "$(TEXTS)") $(BENCH)
	$(BENCHMARK)/extraction.py --memory

bench-steering: develop ## time edited batches against the plain forward pass (DEVICE=cuda, BENCH=more options)
	$(BENCHMARK)/steering.py --device $(DEVICE) $(BENCH)

bench-scale: develop ## how the study grows with data sets and targets, into docs/scale.md, 20 minutes (BENCH=more options)
	$(BENCHMARK)/scale.py $(BENCH)

bench-chain: develop ## the whole chain at a founding model's true shape, random weights (SHAPE=gpt2 or llama-8b, DEVICE=cuda)
	$(BENCHMARK)/chain.py --shape $(SHAPE) --device $(DEVICE) $(BENCH)

bench-probes: develop ## time probes against scikit-learn, compare their results, measure memory (DEVICE=cuda, BENCH=more options)
	$(BENCHMARK)/probes.py --agreement --memory --growth --device $(DEVICE)
	$(BENCHMARK)/probes.py --device $(DEVICE) $(BENCH)

lock: ## resolve envs/*.in anew into the lock files and the conda file (needs uv)
	@command -v $(UV) > /dev/null || { echo "make lock needs uv, or its path as UV=..." >&2; exit 1; }
	$(LOCK) envs/develop.in -o envs/develop.lock
	$(LOCK) -c envs/develop.lock envs/study.in -o envs/study.lock
	$(LOCK) -c envs/develop.lock envs/storage.in -o envs/storage.lock
	$(LOCK) envs/s3-server.in -o envs/s3-server.lock
	$(LOCK) --no-emit-package pip envs/audit.in -o envs/audit.lock
	$(LOCK) envs/pip.in -o envs/pip.lock
	$(LOCK) envs/notes.in -o envs/notes.lock
	$(LOCK) --no-deps envs/models.in -o envs/models.lock
	$(PYTHON) envs/conda.py

clean: setup ## remove the results that the project wrote, and logs; never data, environments or files of yours
	@$(RUN) $(BIN)/python -m linear_probing.pruning --all
	rm -rf logs
