# Azure Linux 3 and CBL-Mariner 2. Flavours have no mark in the release, so each
# one's headers are looked for; the release's number shows which one it is.
NAMES="kernel-devel kernel-hwe-devel kernel-64k-devel kernel-mshv-devel kernel-rt-devel"
HEADERS=kernel-devel-$K
KERNEL_SRC=/usr/src/linux-headers-$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories. Install it on the node (tdnf install $HEADERS), or take a newer node image and build for its kernel"
tools() { retry tdnf -y -q install gcc make binutils glibc-devel kernel-headers elfutils-libelf-devel diffutils findutils tar gzip xz kmod gawk ca-certificates curl || die "the compiler could not be installed: is there a way to packages.microsoft.com, or a proxy to set?"; }
headers() {
  for name in $NAMES; do
    tdnf -q list "$name-$K" > /dev/null 2>&1 || continue
    retry tdnf -y -q install "$name-$K" || die "$name-$K could not be installed"
    [ ! -e "$KERNEL_SRC/Makefile" ] || return 0
  done
  die "$GONE"
}
kbuild() { :; }
compiler() { tdnf -y -q install "$1" || true; }
