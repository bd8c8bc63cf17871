say step deliver
[ -z "$KERNEL_VERSION" ] || say kernel-version "$KERNEL_VERSION"
if [ -n "${PFRING_OUT:-}" ]; then
  mkdir -p "$(dirname "$PFRING_OUT")"
  cp "$MODULE" "$PFRING_OUT" || die "$PFRING_OUT could not be written"
else
  gzip -9 < "$MODULE" > "$WORK/module.gz" || die "there is no room for the module"
  say module "$(wc -c < "$WORK/module.gz" | tr -d ' ')" "$(sha256sum < "$MODULE" | cut -d ' ' -f 1)"
  base64 "$WORK/module.gz"
  say end
fi
rm -rf "$WORK"/*
