# Red Hat Enterprise Linux 8 to 10, what is built from it (Rocky, Alma, Oracle,
# CentOS Stream) and Fedora. A kernel's flavour follows a "+" (RHEL 9:
# x86_64+rt, aarch64+64k, +debug), in the release (RHEL 8: .rt7.198.el8_6, Oracle's
# .el9uek) or nowhere, and each has its own headers.
V=${K%+*}
case $K in
  *+*) NAMES=kernel-${K##*+}-devel ;;
  *uek*) NAMES="kernel-uek-devel kernel-uek64k-devel" ;;
  *.rt[0-9]*) NAMES=kernel-rt-devel ;;
  *.elrepo.*) NAMES="kernel-lt-devel kernel-ml-devel" ;;
  *) NAMES=kernel-devel ;;
esac
HEADERS=${NAMES%% *}-$V
KERNEL_SRC=/usr/src/kernels/$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories, which keep only current kernels. Install it on the node while it is available (dnf install $HEADERS; RHEL's own needs a subscription), or update the node's kernel, reboot and build for that"
tools() { retry dnf -y -q --setopt=install_weak_deps=False install gcc make binutils elfutils-libelf-devel diffutils findutils tar gzip xz kmod || die "the compiler could not be installed: is there a way to the distribution's repositories, or a proxy to set?"; }
archive() {
  . /etc/os-release
  [ "${ID:-}" = fedora ] && dnf -y -q install fedora-repos-archive
}
find_package() {
  for name in $NAMES; do
    HEADERS=$name-$V
    dnf -q list "$HEADERS" > /dev/null 2>&1 && return 0
  done
  return 1
}
headers() {
  find_package || { archive && find_package; } || die "$GONE"
  retry dnf -y -q --setopt=install_weak_deps=False install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() { :; }
compiler() { dnf -y -q install "$1" || true; }
