package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The threat table's row of the run container, with the mounts as they are deployed
// and its rights, uid 0 without capabilities: each attempt to change what load goes
// by fails, and its own file can be written.
func TestRunFailsToWriteWhatLoadGoesBy(t *testing.T) {
	for _, program := range []string{"unshare", "setpriv", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program + ": apt-get install util-linux")
		}
	}
	if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
		t.Skipf("no namespace of mounts can be made here: %v; run the test as root", err)
	}
	for name, values := range map[string]string{"default": "", "unloading": "tap: {kernelModule: {unloadOnDestroy: true}}", "rings": "tap: {kernelModule: {metrics: {rings: true}}}"} {
		t.Run(name, func(t *testing.T) {
			host, root := t.TempDir(), t.TempDir()
			ds := daemonSet(t, values)
			for _, file := range []string{"run/kubeshark-pfring/state.json", "run/kubeshark-pfring/watch/state.json", "var/lib/kubeshark-pfring/seen.json"} {
				path := filepath.Join(host, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			script := mountsOf(t, ds, host, root)
			if !strings.Contains(script, "kubeshark-pfring") {
				t.Fatalf("run mounts nothing of the host:\n%s", script)
			}
			tries := fmt.Sprintf(`
cd %[1]q
state=run/kubeshark-pfring
for try in "echo x > $state/state.json" "rm -f $state/state.json" "mv $state/watch/state.json $state/state.json" "ln -sf /dev/zero $state/state.json" \
  "mkdir $state/other" "chmod 000 $state/state.json" "touch -d 2030-01-01 $state/state.json" "rmdir $state/watch" "mv $state/watch $state/away" \
  "echo x > run/pfring/outcome.json" "mount -o remount,bind,rw $state" "umount $state/watch"; do
  if (eval "$try") 2>/dev/null; then echo "SUCCEEDED: $try"; fi
done
echo mine > $state/watch/state.json && echo "wrote its own"
grep CapEff /proc/self/status
`, root)
			cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-euc",
				script+"exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs sh -c "+quoted(tries))
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), "SUCCEEDED") || !strings.Contains(string(out), "wrote its own") || !strings.Contains(string(out), "0000000000000000") {
				t.Errorf("%v\n%s", err, out)
			}
			for file, want := range map[string]string{"run/kubeshark-pfring/state.json": "before", "run/kubeshark-pfring/watch/state.json": "mine\n", "var/lib/kubeshark-pfring/seen.json": "before"} {
				if got, err := os.ReadFile(filepath.Join(host, file)); err != nil || string(got) != want {
					t.Errorf("%s is %q, %v", file, got, err)
				}
			}
		})
	}
}

// mountsOf is a script that mounts what the run container does, from folders of a
// host, below root.
func mountsOf(t *testing.T, ds any, host, root string) string {
	t.Helper()
	from := map[any]string{}
	volumes, ok := at(ds, "spec.template.spec.volumes").([]any)
	if !ok {
		t.Fatal("there are no volumes")
	}
	for _, v := range volumes {
		path := filepath.Join(host, "volumes", at(v, "name").(string))
		if of, ok := at(v, "hostPath.path").(string); ok {
			path = filepath.Join(host, of)
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		from[at(v, "name")] = path
	}
	var script strings.Builder
	mounts, _ := at(ds, "spec.template.spec.containers.0.volumeMounts").([]any)
	for _, m := range mounts {
		source, to := from[at(m, "name")], filepath.Join(root, at(m, "mountPath").(string))
		if source == "" {
			t.Fatalf("%v is not a volume", at(m, "name"))
		}
		fmt.Fprintf(&script, "mkdir -p %q; mount --bind %q %q\n", to, source, to)
		if at(m, "readOnly") == true {
			fmt.Fprintf(&script, "mount -o remount,bind,ro %q\n", to)
		}
	}
	return script.String()
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
