# Red Hat Enterprise Linux 8 to 10 and what is built from it: Rocky, Alma,
# Oracle, CentOS Stream. A kernel's flavour stands behind a "+".
FLAVOUR=
case $K in *+*) FLAVOUR=${K##*+}- ;; *uek*) FLAVOUR=uek- ;; esac
HEADERS=kernel-${FLAVOUR}devel-${K%+*}
KERNEL_SRC=/usr/src/kernels/$K
GONE="there are no headers: $HEADERS is neither on the node nor in the repositories, which keep only current kernels. Install it on the node while it can be had (dnf install $HEADERS; RHEL's own needs a subscription), or update the node's kernel, reboot and build for that"
tools() { retry dnf -y -q --setopt=install_weak_deps=False install gcc make binutils elfutils-libelf-devel diffutils findutils tar gzip xz kmod || die "the compiler could not be installed: is there a way to the distribution's repositories, or a proxy to set?"; }
headers() {
  dnf -q list "$HEADERS" > /dev/null 2>&1 || die "$GONE"
  retry dnf -y -q --setopt=install_weak_deps=False install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() { :; }
compiler() { dnf -y -q install "$1" || true; }
