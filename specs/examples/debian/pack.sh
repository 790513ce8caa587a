#!/bin/sh
# pack.sh NAME OUT: the folder NAME beside this file becomes a Debian package, the same bytes each time.
set -eu
from=$(dirname "$0")/$1
root=$PWD/root
mkdir -p "$root/DEBIAN" "$root/usr/share/doc/$1"
cp "$from/control" "$root/DEBIAN/control"
if [ -f "$from/$1.c" ]; then
  mkdir -p "$root/usr/bin"
  gcc -O2 -Wall -o "$root/usr/bin/$1" "$from/$1.c"
else
  cp "$from/README" "$root/usr/share/doc/$1/README"
fi
chmod -R go-w,a+rX "$root"
SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Zgzip --build "$root" "$2"
