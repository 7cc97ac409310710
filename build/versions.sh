# Every version that the scripts fetch, in one place. Sourced by build/lib.sh; libraries are pinned by go.mod and
# frontend/package-lock.json instead.
# shellcheck shell=bash disable=SC2034

# Go: a system Go of this minor version or later is used as it is; otherwise exactly GO_VERSION is fetched as the
# module golang.org/toolchain. The sums are those of the checksum database, checked by us as well.
GO_MIN=1.26
GO_VERSION=1.26.8
GO_SUM_amd64=h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
GO_SUM_arm64=h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=

# Node and npm: a system Node of this major version or later is used as it is; otherwise both come as npm packages.
NODE_MIN=24
NODE_VERSION=24.21.0
NPM_VERSION=11.19.1

GOLANGCI_LINT_VERSION=v2.15.0
OAPI_CODEGEN_VERSION=v2.8.2
