# PF_RING 8.9.0 for one kernel of Ubuntu 24.04, as an image for Kernel Module Management.
#   docker build --build-arg KERNEL_FULL_VERSION="$(uname -r)" -t REGISTRY/pf-ring-module:"$(uname -r)" .
ARG BUILDER=docker.io/library/ubuntu:24.04
ARG BASE=docker.io/library/busybox:1.37.0-musl
FROM ${BUILDER} AS build
ARG KERNEL_FULL_VERSION
ARG PFRING_SOURCE_URL=https://github.com/ntop/PF_RING/archive/dc0ae0d684b3ce0ed34d3412b5091ec1247c8c90.tar.gz
ARG PFRING_SOURCE_SHA256=
ARG PFRING_SOURCE_TREE=4cb4a5ba050f9557194a1d019be6ea9b8ad62c06bde7cde2cfecd6d16988d8dc
RUN PFRING_OUT=/out/lib/modules/$KERNEL_FULL_VERSION/pf_ring.ko; PFRING_WORK=/work; \
    set -eu; \
    umask 022; \
    export LC_ALL=C DEBIAN_FRONTEND=noninteractive; \
    K=${KERNEL_FULL_VERSION:?the kernel release to build for}; \
    MARK=${PFRING_MARK:-pfring:}; \
    unset PFRING_MARK; \
    HOST=${PFRING_HOST_USR:-}; \
    MAKE_ARGS=; \
    KERNEL_VERSION=; \
    say() { printf '%s %s\n' "$MARK" "$*"; }; \
    die() { say fail "$*"; exit 1; }; \
    case $K in *[!A-Za-z0-9._+~-]*|[!A-Za-z0-9]*) die "\"$K\" is not a kernel release" ;; esac; \
    WORK=${PFRING_WORK:-}; \
    [ -n "$WORK" ] || WORK=$(mktemp -d) || die "there is no room for temporary files"; \
    mkdir -p "$WORK" || die "there is no room for temporary files"; \
    retry() { \
      for pause in 2 5 10; do \
        "$@" && return 0; \
        sleep "$pause"; \
      done; \
      "$@"; \
    }; \
    HEADERS=linux-headers-$K; \
    NAMES=$HEADERS; \
    case $K in *-pve) NAMES="proxmox-headers-$K pve-headers-$K" ;; *-v[78]+|*-v7l+|*-v8-16k+) NAMES="raspberrypi-kernel-headers $NAMES" ;; esac; \
    KERNEL_SRC=/usr/src/linux-headers-$K; \
    GONE="there are no headers: $HEADERS is neither on the node nor in the archive, which keeps only current kernels. Install it on the node while it is available (apt-get install $HEADERS), or update the node's kernel, reboot and build for that"; \
    apt() { apt-get -y -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 --no-install-recommends "$@"; }; \
    INDEXED=; \
    index() { \
      [ -n "$INDEXED" ] || apt update || die "the package index could not be read: is there a way to the distribution's archive, or a proxy to set?"; \
      INDEXED=yes; \
    }; \
    tools() { \
      index; \
      apt install gcc make libc6-dev libelf-dev binutils tar gzip xz-utils curl ca-certificates kmod || die "the compiler could not be installed"; \
    }; \
    backports() { \
      . /etc/os-release; \
      [ "${ID:-}" = debian ] || return 0; \
      apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sed -n "s/ $VERSION_CODENAME\$/ $VERSION_CODENAME-backports main/p" | sort -u | sed 's/^/deb /' > /etc/apt/sources.list.d/pfring-backports.list; \
      apt update || rm /etc/apt/sources.list.d/pfring-backports.list; \
    }; \
    find_package() { \
      for name in $NAMES; do \
        HEADERS=$name; \
        apt-cache show "$name" > /dev/null 2>&1 && return 0; \
      done; \
      return 1; \
    }; \
    headers() { \
      index; \
      find_package || { backports; find_package; } || die "$GONE"; \
      apt install "$HEADERS" || die "$HEADERS could not be installed"; \
    }; \
    kbuild() { \
      [ -e "$KERNEL_SRC/scripts/basic/fixdep" ] && return 0; \
      index; \
      link=$(readlink "$KERNEL_SRC/scripts" || true); \
      case $link in *linux-kbuild-*) apt install "$(printf %s "$link" | sed 's|.*\(linux-kbuild-[^/]*\).*|\1|')" || true ;; esac; \
    }; \
    compiler() { index; apt install "$(printf %s "$1" | sed 's/^[a-z0-9_]*-linux-gnu-//')" || true; }; \
    have_tools() { \
      for tool in gcc make strip tar gzip base64 sha256sum curl; do \
        command -v "$tool" > /dev/null || return 1; \
      done; \
    }; \
    fetch() { \
      if [ -n "${PFRING_CA:-}" ]; then \
        cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt > "$WORK/ca.pem" 2>/dev/null || true; \
        printf '%s\n' "$PFRING_CA" >> "$WORK/ca.pem"; \
        export CURL_CA_BUNDLE="$WORK/ca.pem"; \
      fi; \
      case $PFRING_SOURCE_URL in \
        /*) cp "$PFRING_SOURCE_URL" "$WORK/source" || die "$PFRING_SOURCE_URL could not be read" ;; \
        *) curl -fsSL --proto =http,https --retry 3 --connect-timeout 20 --max-time 900 --max-filesize 300000000 -o "$WORK/source" "$PFRING_SOURCE_URL" || die "$PFRING_SOURCE_URL could not be fetched: name a mirror with --source-url, or a proxy" ;; \
      esac; \
      if [ -n "${PFRING_SOURCE_SHA256:-}" ]; then \
        sum=$(sha256sum < "$WORK/source" | cut -d ' ' -f 1); \
        [ "$sum" = "$PFRING_SOURCE_SHA256" ] || die "the source is not the one expected: its sha256 is $sum, not $PFRING_SOURCE_SHA256"; \
      fi; \
      mkdir "$WORK/unpacked"; \
      tar -xf "$WORK/source" -C "$WORK/unpacked" --no-same-owner --wildcards 'kernel/*' '*/kernel/*' 2> "$WORK/tar.log" || true; \
      ! grep -q 'No space left' "$WORK/tar.log" || die "there is no room for the source"; \
      SRC=; \
      for file in "$WORK"/unpacked/kernel/pf_ring.c "$WORK"/unpacked/*/kernel/pf_ring.c; do \
        [ -f "$file" ] && SRC=${file%/pf_ring.c}; \
      done; \
      [ -n "$SRC" ] || { cat "$WORK/tar.log"; die "the source holds no kernel/pf_ring.c"; }; \
      [ -z "$(find "$SRC" ! -type f ! -type d)" ] || die "the source's kernel/ has something other than files and folders in it"; \
      mv "$SRC" "$WORK/kernel"; \
      SRC=$WORK/kernel; \
      [ -n "${PFRING_SOURCE_SHA256:-}" ] && return 0; \
      sum=$(cd "$WORK" && find kernel -type f | sort | while IFS= read -r file; do sha256sum "$file"; done | sha256sum | cut -d ' ' -f 1); \
      [ "$sum" = "${PFRING_SOURCE_TREE:?}" ] || die "the source is not the one expected: its kernel/ has the sum $sum, not $PFRING_SOURCE_TREE"; \
    }; \
    from_node() { \
      [ -n "$HOST" ] && [ -e "$HOST/${KERNEL_SRC#/usr/}/Makefile" ] || return 1; \
      for dir in "$HOST"/src/* "$HOST"/src/kernels/* "$HOST"/lib/linux-kbuild-*; do \
        [ -d "$dir" ] || continue; \
        mkdir -p "$(dirname "/usr${dir#"$HOST"}")"; \
        [ -e "/usr${dir#"$HOST"}" ] || ln -s "$dir" "/usr${dir#"$HOST"}"; \
      done; \
      kbuild; \
      [ -x "$KERNEL_SRC/scripts/basic/fixdep" ]; \
    }; \
    find_headers() { \
      if [ ! -e "$KERNEL_SRC/Makefile" ] && ! from_node; then \
        [ -z "$HOST" ] || find /usr/src /usr/lib -maxdepth 2 -lname "$HOST/*" -delete; \
        headers; \
      fi; \
      built=$(sed -n 's/^#define UTS_RELEASE "\(.*\)".*/\1/p' "$KERNEL_SRC/include/generated/utsrelease.h" 2>/dev/null || true); \
      [ -z "$built" ] || [ "$built" = "$K" ] || die "the headers in $KERNEL_SRC are for kernel \"$built\", not $K"; \
      for file in utsversion.h compile.h; do \
        [ -n "$KERNEL_VERSION" ] || KERNEL_VERSION=$(sed -n 's/^#define UTS_VERSION "\(.*\)"$/\1/p' "$KERNEL_SRC/include/generated/$file" 2>/dev/null || true); \
      done; \
    }; \
    find_compiler() { \
      text=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\{0,1\}\([^ "]*\).*/\1/p' "$KERNEL_SRC/include/config/auto.conf" 2>/dev/null || true); \
      cc=${text##*/}; \
      case $cc in ''|gcc|cc) return 0 ;; *clang*) die "kernel $K was built with clang, and this recipe has gcc: give one with --image and --script" ;; esac; \
      command -v "$cc" > /dev/null || compiler "$cc"; \
      if command -v "$cc" > /dev/null; then MAKE_ARGS=CC=$cc; else echo "kernel $K was built with $cc, which is not there; going on with $(gcc --version | head -n 1)"; fi; \
    }; \
    compile() { \
      make -C "$SRC" KERNEL_SRC="$KERNEL_SRC" BUILD_KERNEL="$K" CONFIG_DEBUG_INFO_BTF_MODULES= $MAKE_ARGS 2>&1 || die "PF_RING did not compile for kernel $K"; \
      [ -s "$SRC/pf_ring.ko" ] || die "the build left no pf_ring.ko"; \
      strip --strip-debug "$SRC/pf_ring.ko" || die "strip failed"; \
    }; \
    mirrors() { \
      printf '%s\n' "$PFRING_MIRRORS" | while read -r from to; do \
        from=$(printf %s "$from" | sed 's/[].[*^$|]/\\&/g'); \
        to=$(printf %s "$to" | sed 's/[&|]/\\&/g'); \
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/yum.repos.d/*; do \
          [ ! -f "$file" ] || sed -i "s|$from|$to|g" "$file"; \
        done; \
      done; \
    }; \
    say step packages; \
    [ -z "${PFRING_MIRRORS:-}" ] || mirrors; \
    have_tools || tools; \
    say step source; \
    fetch; \
    say step headers; \
    find_headers; \
    find_compiler; \
    say step compile; \
    compile; \
    MODULE=$SRC/pf_ring.ko; \
    say step deliver; \
    [ -z "$KERNEL_VERSION" ] || say kernel-version "$KERNEL_VERSION"; \
    if [ -n "${PFRING_OUT:-}" ]; then \
      mkdir -p "$(dirname "$PFRING_OUT")"; \
      cp "$MODULE" "$PFRING_OUT" || die "$PFRING_OUT could not be written"; \
    else \
      gzip -9 < "$MODULE" > "$WORK/module.gz" || die "there is no room for the module"; \
      say module "$(wc -c < "$WORK/module.gz" | tr -d ' ')" "$(sha256sum < "$MODULE" | cut -d ' ' -f 1)"; \
      base64 "$WORK/module.gz"; \
      say end; \
    fi; \
    rm -rf "$WORK"/*; \
    depmod -b /out "$K"

FROM ${BASE}
COPY --from=build /out /opt
