# Every command sets up what it needs by itself: see .ci/bootstrap.py.
PYTHON ?= python3
REPO ?=
TREES ?=
PEERS ?=
LARGE ?=
ARGS ?=
BOOTSTRAP = $(PYTHON) .ci/bootstrap.py
MAKEFLAGS += --no-print-directory
# Paths reach the shell by the environment, so that no character in them needs quoting.
export REPO TREES

.DEFAULT_GOAL := help
.PHONY: help install demo test lint trial bench quality quality-history quality-docstrings picture setup clean python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

demo: python ## set up, index a repository (REPO=path, else this one) and search it in a real Neovim
	@$(BOOTSTRAP) demo "$$REPO"

test: python ## set up, lint, and run every test on Neovim 0.10.4 and the newest (ARGS='-k name' for pytest)
	@$(BOOTSTRAP) test $(ARGS)

lint: python ## ruff, mypy, layers, luacheck
	@$(BOOTSTRAP) lint

trial: python ## install in an empty home as a new user would, then search (ARGS='vim.pack', 'lazy.nvim --from DIR', 'mini.deps --from DIR')
	@$(BOOTSTRAP) trial $(ARGS)

bench: python ## time and memory against their bars (REPO=path, else this repository; PEERS=1 others as well, LARGE=1 30,000 files)
	@$(BOOTSTRAP) bench "$$REPO" $(if $(PEERS),--peers) $(if $(LARGE),--large)

quality: python ## how well it ranks, on the development sets (TREES=dir of work trees; ARGS='--ablate', '--compare run.json')
	@$(BOOTSTRAP) quality quality.py $${TREES:+"$$TREES"} $(ARGS)

quality-history: python ## the same on any repository's own history (REPO=path)
	@$(BOOTSTRAP) quality history.py "$$REPO" $(ARGS)

quality-docstrings: python ## the same on functions found by their own docstrings
	@$(BOOTSTRAP) quality docstrings.py $(ARGS)

picture: python ## draw README's pictures anew, from real screens
	@$(BOOTSTRAP) demo "" --pictures doc </dev/null

install: python ## only what the plugin and the command line need
	@$(BOOTSTRAP) install

setup: python ## what tests need: environment, both Neovims, Lua linter
	@$(BOOTSTRAP) setup

clean: ## remove the environment and every cache in this folder; indexes in the data folder stay
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "setup: python_missing: install Python 3.11 or newer, or name it: make PYTHON=path" >&2; exit 2; }
