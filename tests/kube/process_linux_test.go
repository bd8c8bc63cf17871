package kube_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestTheComponentsDieWithTheProcessThatStartedThem(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), launchEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		t.Errorf("the cluster did not start: %q %v", line, err)
	} else if got := componentsIn(t, dir); len(got) != 4 {
		t.Errorf("running components: %v; want four", got)
	}
	// As a panic, a timeout of go test or the OOM killer would end it: nothing is cleaned up.
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := kube.Poll(ctx, "the components to die", func(context.Context) (bool, error) {
		return len(componentsIn(t, dir)) == 0, nil
	}); err != nil {
		t.Errorf("%v; still there: %v", err, componentsIn(t, dir))
	}
}

// componentsIn lists the living processes whose working directory is below dir.
func componentsIn(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, link := range links {
		// Processes come and go, and those of others cannot be read.
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir+"/") {
			out = append(out, link)
		}
	}
	return out
}
