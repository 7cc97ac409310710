#!/bin/bash
# bench.sh measures Stead beside what the machine could do at best. ONLY=name,… picks rows, SIZE=full takes the big sizes.
# shellcheck source=build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_packages go
use_go
cd "$ROOT"
go run ./internal/bench -only "${ONLY-}" -size "${SIZE:-small}" -out "$OUT/bench.json" "$@"
