# Builds PF_RING's kernel module for one kernel release. Runs in a container of
# the node's distribution, as root for the package manager alone; POSIX sh.
#
#   KERNEL_FULL_VERSION   the kernel release, as uname -r prints it
#   PFRING_SOURCE_URL     archive with PF_RING's kernel/ folder; a path does too
#   PFRING_SOURCE_SHA256  sha256 of that archive, or
#   PFRING_SOURCE_TREE    sha256 over the names and contents below its kernel/
#   PFRING_OUT            where to put the module; without it it goes to the log
#   PFRING_HOST_USR       the node's /usr, for headers that are installed there
#   PFRING_WORK           an empty folder; the same one gives the same module
#   PFRING_CA             certificates to trust beside the system's, as PEM
#   PFRING_MIRRORS        lines of an address in the package sources and its mirror
#
# In these files every line is a whole statement, none ends in a backslash, and
# no line begins with # inside a statement: a Dockerfile is made from them too.
set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
K=${KERNEL_FULL_VERSION:?the kernel release to build for}
MARK=${PFRING_MARK:-pfring:}
unset PFRING_MARK
HOST=${PFRING_HOST_USR:-}
MAKE_ARGS=
KERNEL_VERSION=
say() { printf '%s %s\n' "$MARK" "$*"; }
die() { say fail "$*"; exit 1; }
case $K in *[!A-Za-z0-9._+~-]*|[!A-Za-z0-9]*) die "\"$K\" is not a kernel release" ;; esac
WORK=${PFRING_WORK:-}
[ -n "$WORK" ] || WORK=$(mktemp -d) || die "there is no room for temporary files"
mkdir -p "$WORK" || die "there is no room for temporary files"
retry() {
  for pause in 2 5 10; do
    "$@" && return 0
    sleep "$pause"
  done
  "$@"
}
