# Containers: where no Docker engine answers, a script of the project brings one up and takes it down again.
.PHONY: containers-engine containers-down images test-containers

containers-engine: ## a Docker engine with Compose, where none answers
	@PYTHON=$(PYTHON) deploy/engine.sh up

containers-down: ## stop the engine that containers-engine started, and only that
	@deploy/engine.sh down

images: $(VENV)/.dev ## the images of deploy/compose.yaml; what cannot be pulled is made here
	@PYTHON=$(BIN)/python deploy/images.sh

# The tests remove their containers themselves, and the reaper's image may not be there to pull; the ports of a
# container are on this machine even where this machine looks like a container itself.
test-containers: export TESTCONTAINERS_RYUK_DISABLED ?= true
test-containers: export TESTCONTAINERS_CONNECTION_MODE ?= docker_host
test-containers: export TESTCONTAINERS_HOST_OVERRIDE ?= 127.0.0.1
test-containers: $(VENV)/.dev ## the broker suite on testcontainers, and deploy/compose.yaml
	@PYTHON=$(PYTHON) deploy/engine.sh up
	@trap 'deploy/engine.sh down' EXIT; \
	PYTHON=$(BIN)/python deploy/images.sh && $(BIN)/python -m pytest -q -rP -m containers tests/containers $(ARGS)
