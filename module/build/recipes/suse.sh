# SUSE Linux Enterprise and openSUSE. A release ends in its flavour (-default,
# -azure, -rt, -64kb), and the headers' package has one more number behind the
# release's.
FLAVOUR=${K##*-}
V=${K%-*}
HEADERS=kernel-$FLAVOUR-devel
KERNEL_SRC=/usr/src/linux-$V-obj/$(uname -m)/$FLAVOUR
GONE="there are no headers: $HEADERS for $V is neither on the node nor in the repositories. Install it on the node (zypper install $HEADERS=$V), or update the node's kernel, reboot and build for that"
tools() { retry zypper -n -q install --no-recommends gcc make binutils libelf-devel diffutils findutils tar gzip xz kmod gawk curl ca-certificates-mozilla || die "the compiler could not be installed: is there a way to SUSE's repositories, or a proxy to set?"; }
headers() {
  pattern=$(printf %s "$V" | sed 's/[.+]/\\&/g')
  found=$(zypper -n -q search -s -x "$HEADERS" | cut -d '|' -f 4 | tr -d ' ' | grep -E "^$pattern(\.[0-9]+)*\$" | sort -u | tail -n 1 || true)
  [ -n "$found" ] || die "$GONE"
  retry zypper -n -q install --no-recommends --oldpackage "$HEADERS=$found" || die "$HEADERS=$found could not be installed"
}
kbuild() { :; }
compiler() { zypper -n -q install --no-recommends "$1" || true; }
