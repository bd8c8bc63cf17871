# Amazon Linux 2023. Its repositories are locked to the image's version; later
# kernels carry their series in the package's name.
HEADERS=kernel-devel-$K
case $K in 6.1.*) : ;; *) HEADERS=kernel$(printf %s "$K" | cut -d. -f1,2)-devel-$K ;; esac
KERNEL_SRC=/usr/src/kernels/$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories. Install it on the node (dnf install $HEADERS), or take a newer node image and build for its kernel"
tools() { retry dnf -y -q install gcc make binutils elfutils-libelf-devel diffutils findutils tar gzip xz kmod || die "the compiler could not be installed: is there a way to Amazon's repositories, or a proxy to set?"; }
headers() {
  dnf -q --releasever=latest list "$HEADERS" > /dev/null 2>&1 || die "$GONE"
  retry dnf -y -q --releasever=latest install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() { :; }
compiler() { dnf -y -q --releasever=latest install "$1" || true; }
