#!/usr/bin/env bash
# Unpacks Debian packages beside the system: into FOLDER, with those of their dependencies that the system lacks.
#
#   bare-debian.sh FOLDER PACKAGE...
#
# Nothing is installed and no rights are needed. The newest version that the configured sources offer is taken, from a
# fresh package list of this script's own; apt checks signatures. A FOLDER that is already there is left as it is.
set -euo pipefail

die() {
    printf 'bare-debian: %s\n' "$*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: bare-debian.sh FOLDER PACKAGE..."
folder=$1
shift
[ ! -d "$folder" ] || exit 0
for tool in apt-get dpkg-deb tar; do
    command -v "$tool" >/dev/null || die "$tool is not here, so $* cannot be fetched: install it another way"
done

mkdir -p "$(dirname "$folder")"
# Filled beside its place and moved there when complete, so that a broken download leaves nothing half done.
partial=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$partial"' EXIT
mkdir -p "$partial/lists/partial" "$partial/cache/archives/partial" "$partial/tree"

apt() {
    apt-get -qq -o Dir::State::lists="$partial/lists" -o Dir::Cache="$partial/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@" >&2
}

printf 'bare-debian: fetching %s\n' "$*" >&2
apt update || die "the package list cannot be updated"
apt install --yes --download-only --no-install-recommends "$@" || die "cannot fetch $*"

for package in "$partial"/cache/archives/*.deb; do
    # Of a compiler's source only the library is wanted; the rest is forty thousand files.
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$partial/tree" --no-wildcards-match-slash \
        --exclude='./usr/src/*/compiler' --exclude='./usr/src/*/src' --exclude='./usr/share/doc'
done
# Somebody else's run may have been quicker; then theirs is as good.
mv -T "$partial/tree" "$folder" 2>/dev/null || [ -d "$folder" ] || die "cannot create $folder"
