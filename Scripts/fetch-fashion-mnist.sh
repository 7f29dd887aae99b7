#!/bin/sh
# Puts Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) into a cache and prints the folder. Takes it out of Debian's package
# dataset-fashion-mnist without installing it, so that root is not needed. Does nothing when the files are there.
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sasuka
folder=$cache/fashion-mnist
package=dataset-fashion-mnist

say() {
  echo "fetch-fashion-mnist: $*" >&2
}

# Sums of the four files as they are once unpacked.
sums() {
  cat <<'SUMS'
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34  t10k-labels-idx1-ubyte
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888  train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9  train-labels-idx1-ubyte
SUMS
}

complete() {
  [ -d "$1" ] && (cd "$1" && sums | sha256sum --check --status -) 2>/dev/null
}

if complete "$folder"; then
  echo "$folder"
  exit 0
fi

for tool in apt-get apt-cache dpkg-deb gzip sha256sum; do
  if ! command -v "$tool" > /dev/null; then
    say "needs $tool; elsewhere than on Debian give the four IDX files by hand: fashion_mnist --data FOLDER"
    exit 1
  fi
done

# Beside the cache's folder, so that the last step is a rename within one file system.
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# A machine that never ran `apt-get update` has no package lists: fetch them into a folder of our own, which needs no root.
lists=
known() {
  apt-cache $lists show "$package" > /dev/null 2>&1
}
if ! known; then
  say "no list of packages names $package; fetching lists into a temporary folder"
  mkdir -p "$work/lists/partial" "$work/archives/partial"
  lists="-o Dir::State::lists=$work/lists -o Dir::Cache=$work/archives"
  apt-get $lists -o Debug::NoLocking=1 -qq update >&2 || true
fi
if ! known; then
  say "apt-get knows no package $package: run 'apt-get update' first, or give the four IDX files by hand:"
  say "  fashion_mnist --data FOLDER"
  exit 1
fi

say "downloading $package (31 MB)"
(cd "$work" && apt-get $lists -qq download "$package" >&2)
mkdir "$work/unpacked" "$work/files"
dpkg-deb -x "$work/$package"_*.deb "$work/unpacked"

for name in $(sums | cut -c 67-); do
  found=$(find "$work/unpacked" -type f \( -name "$name" -o -name "$name.gz" \) | head -n 1)
  case $found in
    '') say "the package holds no $name"; exit 1 ;;
    *.gz) gzip -dc "$found" > "$work/files/$name" ;;
    *) cp "$found" "$work/files/$name" ;;
  esac
done
if ! complete "$work/files"; then
  say "the files of the package are not the ones expected:"
  (cd "$work/files" && sums | sha256sum --check - >&2) || true
  exit 1
fi

# What lies there is damaged, or another run has just finished: either way the files here are whole.
rm -rf "$folder"
mv -T "$work/files" "$folder" || complete "$folder"
echo "$folder"
