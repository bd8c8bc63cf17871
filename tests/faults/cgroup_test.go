package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// limit is the chart's default limit on the agent's memory, in bytes.
const limit = 64 << 20

// childVariable holds what an agent in a control group has to do, as JSON.
const childVariable = "PFRING_TEST_FAULT"

// job is a load by an agent of its own process.
type job struct {
	URL, Endpoint, CredentialsDir, CAFile string
	PathStyle                             bool
	Keys                                  []string
	MinSerial                             int64
	TimeoutMS                             int64
	// Unverified is for historic images, which can prove nothing.
	Unverified bool
	// Root is where its kernel is.
	Root string
	// Does is what it does other than load: probe or run.
	Does string
}

// done is what happened to it.
type done struct {
	Outcome outcome.Outcome
	// Taken are the digests of the modules that its kernel was given.
	Taken []string
	// Probe is what a probe says.
	Probe *outcome.Probe `json:",omitempty"`
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := agent(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// agent is the child: as its main, it keeps within the limit of its control
// group.
func agent(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	memory := (&node.Host{Proc: "/proc"}).BoundMemory("/sys/fs/cgroup", "")
	if memory == 0 || memory > limit {
		return fmt.Errorf("the agent may hold %d bytes: it does not see the limit", memory)
	}
	k := kernelIn(j.Root)
	switch j.Does {
	case "run":
		return k.run()
	case "probe":
		p := k.probe(j)
		return json.NewEncoder(os.Stdout).Encode(done{Probe: &p})
	}
	o := k.load(j, memory, slog.New(slog.DiscardHandler))
	return json.NewEncoder(os.Stdout).Encode(done{Outcome: o, Taken: k.taken()})
}

// group is a control group with the chart's limit on memory.
type group struct {
	path  string
	procs string // the file that takes a process
	ooms  string // the file that counts what was killed
	peak  string // the file with the most that was held
}

var groups atomic.Int64

// newGroup makes one, or skips the test where that is not possible.
func newGroup(t *testing.T) group {
	t.Helper()
	var g group
	var err error
	for _, parent := range []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup"} {
		g.path = filepath.Join(parent, fmt.Sprintf("pfring-faults-%d-%d", os.Getpid(), groups.Add(1)))
		bound := map[string]string{"memory.max": strconv.Itoa(limit), "memory.swap.max": "0"}
		g.procs, g.ooms = filepath.Join(g.path, "cgroup.procs"), filepath.Join(g.path, "memory.events")
		g.peak = filepath.Join(g.path, "memory.peak")
		if strings.HasSuffix(parent, "memory") {
			bound = map[string]string{"memory.limit_in_bytes": strconv.Itoa(limit)}
			g.ooms, g.peak = filepath.Join(g.path, "memory.oom_control"), filepath.Join(g.path, "memory.max_usage_in_bytes")
		}
		if err = os.Mkdir(g.path, 0o755); err != nil {
			continue
		}
		path := g.path
		t.Cleanup(func() { _ = os.Remove(path) })
		for file, text := range bound {
			if e := os.WriteFile(filepath.Join(g.path, file), []byte(text), 0o644); e != nil && !strings.Contains(file, "swap") {
				err = e
			}
		}
		if err == nil {
			return g
		}
	}
	why := fmt.Sprintf("no control group with a limit on memory can be made here (%v): run the test as root where /sys/fs/cgroup may be written, such as in a container with --privileged --cgroupns=private", err)
	if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
	return group{}
}

var oomKill = regexp.MustCompile(`(?m)^oom_kill (\d+)`)

// killed counts what the kernel has killed in the group for want of memory.
func (g group) killed(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(g.ooms)
	if err != nil {
		t.Fatal(err)
	}
	if m := oomKill.FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return "0"
}

// held is the most memory that the group has held, of files that it has read too,
// in MiB; 0 where the kernel does not say.
func (g group) held(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile(g.peak)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n >> 20
}

// command is an agent in the group.
func (g group) command(t *testing.T, j job) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `echo $$ > "$1" && exec "$2" -test.run=^$`, "sh", g.procs, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	return cmd
}

// run runs a job in the group.
func (g group) run(t *testing.T, j job) done {
	t.Helper()
	cmd := g.command(t, j)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if n := g.killed(t); n != "0" {
		t.Fatalf("%s processes were killed for want of memory: %v", n, runErr)
	}
	var d done
	if err := json.Unmarshal(stdout.Bytes(), &d); err != nil || runErr != nil {
		t.Fatalf("%v, %v\n%.2000s", runErr, err, stderr.String())
	}
	return d
}

func TestEachFaultEndsInItsOutcomeWithinTheChartsMemory(t *testing.T) {
	newGroup(t)
	for _, s := range sites(t) {
		for _, f := range table() {
			if !s.tries(f) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				j, r := f.job(t, s)
				g := newGroup(t)
				d := g.run(t, j)
				t.Logf("%s | %s | %s | %d MiB", s.name, f.name, d.Outcome.Reason, g.held(t))
				f.judge(t, s, r, d.Outcome, d.Taken)
			})
		}
	}
}
