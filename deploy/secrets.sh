#!/usr/bin/env bash
# secrets.sh [folder]: a random password for every principal the mesh starts with, made once and kept in files
# that only their reader can open. Whoever runs Compose next finds in .env as whom the containers run.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="${1:-$here/secrets}"
reader="$(id -u)"
# Containers never run as root: root's files are given to the user the images have.
[ "$reader" != 0 ] || reader=1000

umask 077
mkdir -p "$folder"
domains=()
for path in "$here"/../contracts/*/; do domains+=("$(basename "$path")"); done
for principal in _mesh.admin _mesh.gate _mesh.registry _mesh.lineage _mesh.health "${domains[@]}"; do
    file="$folder/$principal"
    [ -s "$file" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$file"
done
if [ "$(id -u)" = 0 ]; then chown -R "$reader:$reader" "$folder"; fi
[ -f "$here/.env" ] || printf 'MESH_UID=%s\n' "$reader" >"$here/.env"
