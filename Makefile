# Every target installs what it needs. STACK names one of the Pulumi.<stack>.yaml files.
STACK ?= in-mumbai
# NODES, for demo and up: only these nodes of the region, e.g. NODES='edge-a-1,app'; the report says so.
PART = $(if $(NODES),--nodes '$(NODES)')
PYTHON := build/venv/bin/python
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up preview harden verify drift report evidence ssh test test-kinds test-vm check down python machine testing help

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: python machine ## the main job: provision, boot, harden, verify, report; leaves the region up
	@$(PYTHON) -m twin demo --stack $(STACK) $(PART)

up: python machine ## the emulated region and its nodes, not hardened
	@$(PYTHON) -m twin up --stack $(STACK) $(PART)

preview: python ## what `up` would create or change, checked by the guardrails
	@$(PYTHON) -m twin preview --stack $(STACK)

harden: python ## run the hardening playbooks over the nodes that are up
	@$(PYTHON) -m twin harden

verify: python ## verify region and nodes, write build/report
	@$(PYTHON) -m twin verify

drift: python ## what changed since the run that was accepted (`python -m verify accept`), on which node, since when
	@$(PYTHON) -m verify drift --region build/region/$(STACK)/region.json --inventory build/twin/inventory.yml --aws-env build/twin/aws.env

report: python ## render build/report again from results.json
	@$(PYTHON) -m report build/report/results.json

ssh: python ## a shell on a node: make ssh NODE=edge-a-1
	@$(PYTHON) -m twin ssh $(NODE)

evidence: python ## the last run as one archive, signed: make evidence KEY=~/.ssh/id_ed25519
	@$(PYTHON) -m evidence pack $(if $(KEY),--key $(KEY))

down: python ## remove everything the twin started, also after a crash
	@$(PYTHON) -m twin down

check: python ## lint, types, unit tests: a minute or two
	@.ci/check

test: python machine testing ## every test but those of test-kinds and test-vm
	@.ci/test

test-kinds: python machine ## every kind of server x level x release through the whole sequence; takes an hour or more
	@$(PYTHON) -m pytest -v -p no:cacheprovider --every-kind tests/e2e/test_kinds.py

test-vm: python machine ## what only a node with a kernel of its own can show, in QEMU; takes the better part of an hour
	@./bootstrap virtual
	@$(PYTHON) -m pytest -x -v -p no:cacheprovider tests/vm

python:
	@./bootstrap python

machine:
	@./bootstrap machine

testing:
	@./bootstrap tests
