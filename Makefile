help: ## targets

