# A script of the user's own, which leaves the module at PFRING_OUT.
OUT=${PFRING_OUT:-}
export PFRING_OUT="$WORK/pf_ring.ko" WORK
printf '%s\n' "$PFRING_SCRIPT" > "$WORK/script"
chmod 0700 "$WORK/script"
say step compile
case $PFRING_SCRIPT in '#!'*) "$WORK/script" 2>&1 || die "the script given failed" ;; *) sh -eu "$WORK/script" 2>&1 || die "the script given failed" ;; esac
MODULE=$PFRING_OUT
[ -s "$MODULE" ] || die "the script given left no module at PFRING_OUT"
PFRING_OUT=$OUT
