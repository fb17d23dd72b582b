#!/usr/bin/env bash
# Checks Weft on this machine's GPU: unpacks what pack.mjs packed, runs the device tests on the real adapter, and times products of
# matrices beside PyTorch where that is installed. Prints everything; ends with a line of counts. Needs xz and a Vulkan driver.
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="${WEFT_CHECK_FOLDER:-/tmp/weft-gpu-check}"

# A loader, where the machine has none and one was carried beside this script.
if ! ldconfig -p | grep -q libvulkan.so.1 && compgen -G "$here/*.deb" >/dev/null; then
  for package in "$here"/*.deb; do dpkg -x "$package" /; done
  ldconfig
fi

mkdir -p "$work"
[ -x "$work/node" ] || { xz -dc "$here/node.xz" >"$work/node" && chmod +x "$work/node"; }
tar -C "$work" -xJf "$here/weft.tar.xz"
cd "$work/weft" || exit 1
export WEFT_ADAPTER=hardware WEFT_CACHE="$work/cache" PATH="$work:$PATH"

command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
node src/cli/main.js doctor

log="$work/tests.log"
node node_modules/mocha/bin/mocha.js --no-config --timeout 600000 'test/webgpu/**/*.test.js' 'test/codegen/**/*.test.js' \
  'test/examples/conflict-edit-webgpu.test.js' 2>&1 | tee "$log"

node bench/webgpu/contraction.js
command -v python3 >/dev/null && python3 -c 'import torch' 2>/dev/null && python3 "$here/time.py"

count() { grep -Eo "^ +[0-9]+ $1" "$log" | grep -Eo '[0-9]+' | awk '{ sum += $1 } END { print sum + 0 }'; }
echo "$(count passing) passed, $(count failing) failed, $(count pending) skipped"
[ "$(count failing)" = 0 ]
