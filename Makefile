# The newcomer's commands. What they do stands in build/.
.PHONY: demo test build lint fmt gen bench

demo: ## build Stead and start it with made-up members
	bash build/demo.sh

test: ## every check there is
	bash build/test.sh

build: ## the page and the window program, build/out/stead
	bash build/test.sh frontend desktop

lint: ## golangci-lint
	bash build/test.sh lint

fmt: ## format the Go files
	gofmt -w main.go app internal frontend/*.go

gen: ## write the generated files anew
	bash build/gen.sh

bench: ## figures beside their floors; ONLY=name,… picks rows, SIZE=full takes the big sizes
	bash build/bench.sh
