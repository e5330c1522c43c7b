# Two commands for a newcomer: `make demo` and `make test`. Each does all its set-up.
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := tests/peers/node_modules/.ready
export PYTHONUNBUFFERED := 1

.PHONY: demo test check docs bench bench-web bench-ai pictures format clean

demo: $(READY)             ## a virtual plant, the platform and its page
	$(BIN)/deungdae demo

test: check $(PEERS)       ## everything that must hold
	PATH="$(CURDIR)/tests/peers/node_modules/.bin:$$PATH" $(BIN)/pytest -n logical --dist loadfile

check: $(READY)            ## the quick half: style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)             ## the generated reference
	$(BIN)/deungdae docs docs/reference

bench: $(PEERS)            ## every figure that the docs name
	$(BIN)/python -m benchmarks $(ARGS)

bench-web: $(READY)        ## how soon pages show and tell, and what many of them cost
	$(BIN)/python benchmarks/web.py $(ARGS)

bench-ai: $(READY)         ## what was learnt from real data, on groups never seen
	$(BIN)/python benchmarks/ai.py $(ARGS)

pictures: $(PEERS)         ## the pictures of the README
	$(BIN)/python tools/pictures

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	tools/python
	$(BIN)/python -m deungdae.sim.kernel
	touch $@

$(PEERS): tests/peers/package.json tests/peers/package-lock.json tools/peers $(READY)
	tools/peers
	touch $@

clean:
	rm -rf $(VENV) tests/peers/node_modules build dist artefacts
