#!/bin/sh
# Renews the lock files: pinned versions with hashes, for every Python from 3.11 on, without an index host.
set -eu
cd "$(dirname "$0")"
for name in run dev node; do
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "$name.in" -o "$name.txt" "$@"
done
