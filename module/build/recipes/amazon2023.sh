# Amazon Linux 2023. Its repositories are locked to the image's version. Packages
# of later kernels carry the series in their name (kernel6.12-devel), those of the
# first one did not (6.1: kernel-devel).
SERIES=$(printf %s "$K" | cut -d. -f1,2)
NAMES="kernel$SERIES-devel kernel-devel"
case $K in 6.1.*) NAMES="kernel-devel kernel6.1-devel" ;; esac
HEADERS=${NAMES%% *}-$K
KERNEL_SRC=/usr/src/kernels/$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories. Install it on the node (dnf install $HEADERS), or take a newer node image and build for its kernel"
tools() { retry dnf -y -q install gcc make binutils elfutils-libelf-devel diffutils findutils tar gzip xz kmod || die "the compiler could not be installed: is there a way to Amazon's repositories, or a proxy to set?"; }
headers() {
  for name in $NAMES; do
    dnf -q --releasever=latest list "$name-$K" > /dev/null 2>&1 || continue
    retry dnf -y -q --releasever=latest install "$name-$K" || die "$name-$K could not be installed"
    return 0
  done
  die "$GONE"
}
kbuild() { :; }
compiler() { dnf -y -q --releasever=latest install "$1" || true; }
