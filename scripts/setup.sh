#!/usr/bin/env bash
# Everything a build needs that cargo does not bring: a C++ compiler, cmake, pkg-config, ALSA's headers, LibTorch.
# Run by `make`; quick when nothing is missing. Prints to stderr only.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

command -v cargo >/dev/null 2>&1 || fail "cargo is missing: install a Rust toolchain, for example by rustup"

# Debian packages that are missing, if this is a Debian.
missing=()
have g++ || have c++ || missing+=(g++)
have cmake || missing+=(cmake)
if [ "$(uname)" = Linux ]; then
  have pkg-config || missing+=(pkg-config)
  pkg-config --exists alsa 2>/dev/null || missing+=(libasound2-dev)
fi
if [ ${#missing[@]} -gt 0 ] && have apt-get; then
  run=()
  [ "$(id -u)" = 0 ] || run=(sudo -n)
  if [ ${#run[@]} = 0 ] || sudo -n true 2>/dev/null; then
    say "installing ${missing[*]}"
    "${run[@]}" apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || true
  fi
fi
have g++ || have c++ || fail "a C++ compiler is missing: sudo apt install g++"
have cmake || fail "cmake is missing (the Opus decoder is built with it): sudo apt install cmake"
if [ "$(uname)" = Linux ] && ! pkg-config --exists alsa 2>/dev/null; then
  say "ALSA's headers are missing: building without the microphone. For it: sudo apt install pkg-config libasound2-dev"
fi

if [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
  say "LibTorch: the torch package of python3 (LIBTORCH_USE_PYTORCH)"
elif [ -n "${LIBTORCH:-}" ] && [ "$(realpath -m "$LIBTORCH")" != "$(realpath -m .libtorch)" ]; then
  [ -d "$LIBTORCH/lib" ] || fail "LIBTORCH=$LIBTORCH: holds no lib/; unset it to have LibTorch fetched"
  say "LibTorch: $LIBTORCH (LIBTORCH)"
elif [ ! -e .libtorch/build-version ]; then
  have python3 || fail "python3 is missing (LibTorch is fetched with pip): sudo apt install python3-pip"
  python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing (LibTorch is fetched with it): sudo apt install python3-pip"
  python3 scripts/fetch_libtorch.py .libtorch
fi
