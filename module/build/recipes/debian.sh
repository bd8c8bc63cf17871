# Debian and Ubuntu, and kernels that others build for them: Proxmox (-pve) names
# its headers differently, Raspberry Pi's older ones (-v8+) have no release in the
# name. All of them lie in the same folder.
HEADERS=linux-headers-$K
NAMES=$HEADERS
case $K in *-pve) NAMES="proxmox-headers-$K pve-headers-$K" ;; *-v[78]+|*-v7l+|*-v8-16k+) NAMES="raspberrypi-kernel-headers $NAMES" ;; esac
KERNEL_SRC=/usr/src/linux-headers-$K
GONE="there are no headers: $HEADERS is neither on the node nor in the archive, which keeps only current kernels. Install it on the node while it is available (apt-get install $HEADERS), or update the node's kernel, reboot and build for that"
apt() { apt-get -y -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 --no-install-recommends "$@"; }
INDEXED=
index() {
  [ -n "$INDEXED" ] || apt update || die "the package index could not be read: is there a way to the distribution's archive, or a proxy to set?"
  INDEXED=yes
}
tools() {
  index
  apt install gcc make libc6-dev libelf-dev binutils tar gzip xz-utils curl ca-certificates kmod || die "the compiler could not be installed"
}
backports() {
  . /etc/os-release
  [ "${ID:-}" = debian ] || return 0
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sed -n "s/ $VERSION_CODENAME\$/ $VERSION_CODENAME-backports main/p" | sort -u | sed 's/^/deb /' > /etc/apt/sources.list.d/pfring-backports.list
  apt update || rm /etc/apt/sources.list.d/pfring-backports.list
}
find_package() {
  for name in $NAMES; do
    HEADERS=$name
    apt-cache show "$name" > /dev/null 2>&1 && return 0
  done
  return 1
}
headers() {
  index
  find_package || { backports; find_package; } || die "$GONE"
  apt install "$HEADERS" || die "$HEADERS could not be installed"
}
kbuild() {
  [ -e "$KERNEL_SRC/scripts/basic/fixdep" ] && return 0
  index
  link=$(readlink "$KERNEL_SRC/scripts" || true)
  case $link in *linux-kbuild-*) apt install "$(printf %s "$link" | sed 's|.*\(linux-kbuild-[^/]*\).*|\1|')" || true ;; esac
}
compiler() { index; apt install "$(printf %s "$1" | sed 's/^[a-z0-9_]*-linux-gnu-//')" || true; }
