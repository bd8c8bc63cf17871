# Photon OS 4 and 5. A release ends in its flavour (-esx, -rt, -aws, -secure), or
# in none, and each flavour has its own headers. Older -rt kernels have the patch's
# number in the release (5.10.118-rt67-3.ph4-rt), which is not in the package's.
case ${K##*.ph*[0-9]} in
  -*) FLAVOUR=${K##*-}; V=${K%-*} ;;
  *) FLAVOUR=; V=$K ;;
esac
case $V in *-rt[0-9]*-*) V=${V%%-rt[0-9]*}-${V##*-} ;; esac
HEADERS=linux${FLAVOUR:+-$FLAVOUR}-devel-$V
KERNEL_SRC=/usr/src/linux-headers-$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories. Install it on the node (tdnf install $HEADERS), or take a newer node image and build for its kernel"
tools() { retry tdnf -y -q install gcc make binutils glibc-devel linux-api-headers elfutils-libelf-devel diffutils findutils tar gzip xz kmod gawk ca-certificates curl || die "the compiler could not be installed: is there a way to packages.broadcom.com, or a proxy to set?"; }
headers() {
  tdnf -q list "$HEADERS" > /dev/null 2>&1 || die "$GONE"
  retry tdnf -y -q install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() { :; }
compiler() { tdnf -y -q install "$1" || true; }
