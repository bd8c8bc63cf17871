# Amazon Linux 2. Kernels from 5.4 on come from amazon-linux-extras and were
# built with its own compiler.
HEADERS=kernel-devel-$K
KERNEL_SRC=/usr/src/kernels/$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories. Install it on the node (yum install $HEADERS), or take a newer node image and build for its kernel"
tools() { retry yum -y -q install gcc make binutils elfutils-libelf-devel diffutils findutils tar gzip xz kmod || die "the compiler could not be installed: is there a way to Amazon's repositories, or a proxy to set?"; }
headers() {
  case $K in 4.14.*) : ;; *) retry yum -y -q install amazon-linux-extras && amazon-linux-extras enable "kernel-$(printf %s "$K" | cut -d. -f1,2)" > /dev/null || true ;; esac
  yum -q list "$HEADERS" > /dev/null 2>&1 || die "$GONE"
  retry yum -y -q install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() { :; }
compiler() { yum -y -q install "${1%-gcc}" || true; }
