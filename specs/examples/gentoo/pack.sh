#!/bin/sh
# pack.sh NAME OUT: the folder NAME beside this file becomes a Gentoo binary package (GLEP 78), the same bytes each time.
set -eu
from=$(dirname "$0")/$1
name=$1-1.0-1
work=$PWD/root
mkdir -p "$work/metadata" "$work/image/usr/bin" "$work/image/usr/share/doc/$1" "$work/$name"
if [ -f "$from/$1.c" ]; then
  gcc -O2 -Wall -o "$work/image/usr/bin/$1" "$from/$1.c"
else
  cp "$from/README" "$work/image/usr/share/doc/$1/README"
fi
# One value in each file, as portage keeps them.
while IFS='=' read -r key value; do
  [ -z "$key" ] || printf '%s\n' "$value" > "$work/metadata/$key"
done < "$from/metadata"
chmod -R go-w,a+rX "$work"
pack() { tar --format=ustar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -C "$1" -cf - "$2"; }
: > "$work/$name/gpkg-1"
for part in metadata image; do
  pack "$work" "$part" | gzip -n > "$work/$name/$part.tar.gz"
done
cd "$work/$name"
for file in metadata.tar.gz image.tar.gz; do
  sha512=$(sha512sum "$file") blake2b=$(b2sum "$file") bytes=$(stat -c %s "$file")
  echo "DATA $file $bytes SHA512 ${sha512%% *} BLAKE2B ${blake2b%% *}" >> Manifest
done
cd "$OLDPWD"
tar --format=ustar --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -C "$work" -cf "$2" \
  "$name/gpkg-1" "$name/metadata.tar.gz" "$name/image.tar.gz" "$name/Manifest"
