have_tools() {
  for tool in gcc make strip tar gzip base64 sha256sum curl; do
    command -v "$tool" > /dev/null || return 1
  done
}
fetch() {
  if [ -n "${PFRING_CA:-}" ]; then
    cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt > "$WORK/ca.pem" 2>/dev/null || true
    printf '%s\n' "$PFRING_CA" >> "$WORK/ca.pem"
    export CURL_CA_BUNDLE="$WORK/ca.pem"
  fi
  case $PFRING_SOURCE_URL in
    /*) cp "$PFRING_SOURCE_URL" "$WORK/source" || die "$PFRING_SOURCE_URL could not be read" ;;
    *) curl -fsSL --proto =http,https --retry 3 --connect-timeout 20 --max-time 900 --max-filesize 300000000 -o "$WORK/source" "$PFRING_SOURCE_URL" || die "$PFRING_SOURCE_URL could not be fetched: name a mirror with --source-url, or a proxy" ;;
  esac
  if [ -n "${PFRING_SOURCE_SHA256:-}" ]; then
    sum=$(sha256sum < "$WORK/source" | cut -d ' ' -f 1)
    [ "$sum" = "$PFRING_SOURCE_SHA256" ] || die "the source is not the one expected: its sha256 is $sum, not $PFRING_SOURCE_SHA256"
  fi
  mkdir "$WORK/unpacked"
  tar -xf "$WORK/source" -C "$WORK/unpacked" --no-same-owner --wildcards 'kernel/*' '*/kernel/*' 2> "$WORK/tar.log" || true
  ! grep -q 'No space left' "$WORK/tar.log" || die "there is no room for the source"
  SRC=
  for file in "$WORK"/unpacked/kernel/pf_ring.c "$WORK"/unpacked/*/kernel/pf_ring.c; do
    [ -f "$file" ] && SRC=${file%/pf_ring.c}
  done
  [ -n "$SRC" ] || { cat "$WORK/tar.log"; die "the source holds no kernel/pf_ring.c"; }
  [ -z "$(find "$SRC" ! -type f ! -type d)" ] || die "the source's kernel/ has something other than files and folders in it"
  mv "$SRC" "$WORK/kernel"
  SRC=$WORK/kernel
  [ -n "${PFRING_SOURCE_SHA256:-}" ] && return 0
  sum=$(cd "$WORK" && find kernel -type f | sort | while IFS= read -r file; do sha256sum "$file"; done | sha256sum | cut -d ' ' -f 1)
  [ "$sum" = "${PFRING_SOURCE_TREE:?}" ] || die "the source is not the one expected: its kernel/ has the sum $sum, not $PFRING_SOURCE_TREE"
}
from_node() {
  [ -n "$HOST" ] && [ -e "$HOST/${KERNEL_SRC#/usr/}/Makefile" ] || return 1
  for dir in "$HOST"/src/* "$HOST"/src/kernels/* "$HOST"/lib/linux-kbuild-*; do
    [ -d "$dir" ] || continue
    mkdir -p "$(dirname "/usr${dir#"$HOST"}")"
    [ -e "/usr${dir#"$HOST"}" ] || ln -s "$dir" "/usr${dir#"$HOST"}"
  done
  kbuild
  [ -x "$KERNEL_SRC/scripts/basic/fixdep" ]
}
find_headers() {
  if [ ! -e "$KERNEL_SRC/Makefile" ] && ! from_node; then
    [ -z "$HOST" ] || find /usr/src /usr/lib -maxdepth 2 -lname "$HOST/*" -delete
    headers
  fi
  built=$(sed -n 's/^#define UTS_RELEASE "\(.*\)".*/\1/p' "$KERNEL_SRC/include/generated/utsrelease.h" 2>/dev/null || true)
  [ -z "$built" ] || [ "$built" = "$K" ] || die "the headers in $KERNEL_SRC are for kernel \"$built\", not $K"
  for file in utsversion.h compile.h; do
    [ -n "$KERNEL_VERSION" ] || KERNEL_VERSION=$(sed -n 's/^#define UTS_VERSION "\(.*\)"$/\1/p' "$KERNEL_SRC/include/generated/$file" 2>/dev/null || true)
  done
}
find_compiler() {
  text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\{0,1\}\([^ "]*\).*/\1/p' "$KERNEL_SRC/include/config/auto.conf" 2>/dev/null || true)
  cc=${text##*/}
  case $cc in ''|gcc|cc) return 0 ;; *clang*) die "kernel $K was built with clang, and this recipe has gcc: give one with --image and --script" ;; esac
  command -v "$cc" > /dev/null || compiler "$cc"
  if command -v "$cc" > /dev/null; then MAKE_ARGS=CC=$cc; else echo "kernel $K was built with $cc, which is not there; going on with $(gcc --version | head -n 1)"; fi
}
compile() {
  make -C "$SRC" KERNEL_SRC="$KERNEL_SRC" BUILD_KERNEL="$K" CONFIG_DEBUG_INFO_BTF_MODULES= $MAKE_ARGS 2>&1 || die "PF_RING did not compile for kernel $K"
  [ -s "$SRC/pf_ring.ko" ] || die "the build left no pf_ring.ko"
  strip --strip-debug "$SRC/pf_ring.ko" || die "strip failed"
}
mirrors() {
  printf '%s\n' "$PFRING_MIRRORS" | while read -r from to; do
    from=$(printf %s "$from" | sed 's/[].[*^$|]/\\&/g')
    to=$(printf %s "$to" | sed 's/[&|]/\\&/g')
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/yum.repos.d/*; do
      [ ! -f "$file" ] || sed -i "s|$from|$to|g" "$file"
    done
  done
}
say step packages
[ -z "${PFRING_MIRRORS:-}" ] || mirrors
have_tools || tools
say step source
fetch
say step headers
find_headers
find_compiler
say step compile
compile
MODULE=$SRC/pf_ring.ko
