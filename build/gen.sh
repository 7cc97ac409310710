#!/bin/bash
# gen.sh runs every //go:generate line: the contract's types, client and server from internal/api/openapi.yaml.
# shellcheck source=build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
install_packages go
use_go

# The generator's version stands in the //go:generate line; here only that it is the pinned one.
if stray=$(grep -rn --include='*.go' 'go:generate .*oapi-codegen@' internal | grep -v "oapi-codegen@$OAPI_CODEGEN_VERSION"); then
	echo "build/versions.sh pins oapi-codegen $OAPI_CODEGEN_VERSION, but:"
	echo "$stray"
	exit 1
fi
exec go generate ./...
