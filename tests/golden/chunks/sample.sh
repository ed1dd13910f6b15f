#!/usr/bin/env bash
# A shop.
set -euo pipefail

readonly LIMIT=10

# Adds.
add() {
  local sum=$(( $1 + $2 ))
  echo "$sum"
}

function close {
  inner() {
    echo closed
  }
  inner
}

if [[ "${1:-}" == open ]]; then
  open_shop() { echo open; }
fi

add 1 2
