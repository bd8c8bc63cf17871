package inject

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// waiter is the init container, as a block of YAML.
func (w *worker) waiter(o *Options, with string) string {
	var b strings.Builder
	if with == withAgent {
		agent(&b, o)
	} else {
		w.shell(&b, o)
	}
	b.WriteString(`resources:
  limits:
    cpu: 100m
    memory: 64Mi
  requests:
    cpu: 10m
    memory: 16Mi
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
      - ALL
  readOnlyRootFilesystem: true
`)
	if o.watchesState() {
		b.WriteString("volumeMounts:\n  - mountPath: " + path.Dir(o.StateFile) + "\n    name: " + volumeName + "\n    readOnly: true\n")
	}
	return b.String()
}

// agent waits with pfring-agent, which says more but is another image to pull.
func agent(b *strings.Builder, o *Options) {
	fmt.Fprintf(b, "name: %s\nimage: %s\n", containerName, strconv.Quote(o.Image))
	if o.PullPolicy != "" {
		fmt.Fprintf(b, "imagePullPolicy: %s\n", o.PullPolicy)
	}
	b.WriteString(`args:
  - wait
  - --outcome-file=
env:
  - name: PFRING_NODE
    valueFrom:
      fieldRef:
        apiVersion: v1
        fieldPath: spec.nodeName
  - name: PFRING_ON_UNAVAILABLE
    value: fallback
`)
	fmt.Fprintf(b, "  - name: PFRING_WAIT_MODE\n    value: %s\n  - name: PFRING_WAIT_TIMEOUT\n    value: %s\n", o.Mode, strconv.Quote(o.Timeout.String()))
	if o.watchesState() {
		fmt.Fprintf(b, "  - name: PFRING_STATE_FILE\n    value: %s\n", strconv.Quote(o.StateFile))
		fmt.Fprintf(b, "  - name: PFRING_WATCH_FILE\n    value: %s\n", strconv.Quote(o.watchFile()))
	}
}

// shell waits in the worker's own image: if that cannot be pulled there is no
// capture anyway, so this keeps nothing from starting. Every way out is exit 0.
func (w *worker) shell(b *strings.Builder, o *Options) {
	fmt.Fprintf(b, "name: %s\nimage: %s\n", containerName, strconv.Quote(scalar(get(w.sniffer, "image"))))
	if policy := scalar(get(w.sniffer, "imagePullPolicy")); policy != "" {
		fmt.Fprintf(b, "imagePullPolicy: %s\n", strconv.Quote(policy))
	}
	b.WriteString("command:\n  - /bin/sh\n  - -c\n  - |\n")
	for line := range strings.Lines(script(o)) {
		b.WriteString("    " + line)
	}
}

// script needs nothing but a POSIX shell and sleep. There is no ${…} in it: Flux
// and others put values of their own into that.
//
// The agent's state files are read by a child, which is ended after a second: the
// container that watches may write one of them, and opening a pipe or reading a
// file without end must not keep the worker from starting.
func script(o *Options) string {
	functions, pause := "", "  sleep 1 || exit 0\n"
	if o.watchesState() {
		functions = `fallen() {
  b=; read -r b 2>/dev/null < /proc/sys/kernel/random/boot_id || :
  [ -n "$b" ] || b=none
  for f in ` + o.StateFile + ` ` + o.watchFile() + `; do
    o=; [ ! -f "$f" ] || read -r o 2>/dev/null < "$f" || :
    case "$o" in
      *"\"bootID\":\"$b\""*"\"backend\":\"libpcap\""*) echo "this node stays on libpcap: $o"; kill "$w" 2>/dev/null; exit 9 ;;
    esac
  done
  exit 0
}
`
		pause = `  sleep 1 & w=$!
  fallen & p=$!
  r=0; wait "$w" 2>/dev/null || r=$?
  kill -9 "$p" 2>/dev/null || :
  l=0; wait "$p" 2>/dev/null || l=$?
  [ "$l" != 9 ] || exit 0
  [ "$r" = 0 ] || exit 0
`
	}
	return fmt.Sprintf(`%[2]si=0
while [ "$i" -lt %[1]d ]; do
  s=; read -r s 2>/dev/null < /sys/module/pf_ring/initstate || :
  [ "$s" != live ] || { echo "PF_RING is loaded"; exit 0; }
%[3]s  i=$((i+1))
done
echo "PF_RING was not loaded in %[1]d seconds; capture starts without it"
exit 0
`, int(o.Timeout.Seconds()), functions, pause)
}

// stateVolume is the folder of the agent's state file. It is made if missing:
// a node that the agent has not reached yet must not keep the worker waiting.
func stateVolume(o *Options) string {
	return "hostPath:\n  path: " + path.Dir(o.StateFile) + "\n  type: DirectoryOrCreate\nname: " + volumeName + "\n"
}
