# Two commands for a newcomer: `make demo` and `make test`. Each does all its set-up.
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := tests/peers/node_modules/.ready
export PYTHONUNBUFFERED := 1

.PHONY: demo test check style types docs bench bench-web bench-ai pictures format clean

demo: $(READY)             ## a virtual plant, the platform and its page
	$(BIN)/deungdae demo

test:                      ## everything that must hold; tests/conftest.py has the order of the tests
	$(MAKE) --no-print-directory --jobs 2 --output-sync check $(PEERS)
	PATH="$(CURDIR)/tests/peers/node_modules/.bin:$$PATH" \
	    $(BIN)/pytest -n logical --dist loadfile --no-loadscope-reorder

check: style types         ## the quick half

style: $(READY)            ## style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

docs: $(READY)             ## the generated reference
	$(BIN)/deungdae docs docs/reference

bench: $(READY) $(PEERS)   ## every figure that the docs name
	$(BIN)/python -m benchmarks $(ARGS)

bench-web: $(READY)        ## how soon pages show and tell, and what many of them cost
	$(BIN)/python benchmarks/web.py $(ARGS)

bench-ai: $(READY)         ## what was learnt from real data, on groups never seen
	$(BIN)/python benchmarks/ai.py $(ARGS)

pictures: $(READY) $(PEERS) ## the pictures of the README
	$(BIN)/python tools/pictures

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	tools/python
	$(BIN)/python -m deungdae.sim.kernel
	touch $@

$(PEERS): tests/peers/package.json tests/peers/package-lock.json tools/peers
	tools/peers
	touch $@

clean:
	rm -rf $(VENV) tests/peers/node_modules build dist artefacts
