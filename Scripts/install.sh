#!/bin/sh
# Installs the library, its header and its pkg-config file. Usage: install.sh LIBRARY PREFIX  (DESTDIR, if set, comes before)
set -eu
cd "$(dirname "$0")/.."

library=$1
prefix=$2
root=${DESTDIR:-}$prefix

install -d "$root/include" "$root/lib/pkgconfig"
install -m 644 Include/sasuka.h "$root/include/sasuka.h"
install -m 755 "$library" "$root/lib/libsasuka.so"
version=$(sed -n 's/.*text: StaticString = "\(.*\)"/\1/p' Sources/SasukaABI/Version.swift)
cat > "$root/lib/pkgconfig/sasuka.pc" <<END
prefix=$prefix
Name: sasuka
Description: Trains and runs convolutional networks inside another program
Version: $version
Cflags: -I\${prefix}/include
Libs: -L\${prefix}/lib -lsasuka
END
echo "installed sasuka $version in $root"
