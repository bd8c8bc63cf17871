package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func waitOptions(m *machine, mode WaitMode, timeout time.Duration) WaitOptions {
	return WaitOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Mode: mode, Timeout: timeout, State: m.path("state/state.json"), Log: quiet()}
}

func TestWaitEndsWhenTheModuleAnswers(t *testing.T) {
	m := newMachine(t)
	time.AfterFunc(80*time.Millisecond, func() { m.load("8.9.0", 0) })
	o := Wait(t.Context(), waitOptions(m, WaitKMM, time.Minute))
	if o.Backend != outcome.PFRing || o.Reason != outcome.Loaded || o.Module.Verified != outcome.VerifiedKMM || o.BootID != testBoot || o.Kernel != testRelease {
		t.Errorf("%+v", o)
	}
	if o = Wait(t.Context(), waitOptions(m, WaitKMM, time.Minute)); o.Reason != outcome.AlreadyLoaded {
		t.Errorf("the second time: %+v", o)
	}
}

func TestWaitSaysHowFarItGot(t *testing.T) {
	m := newMachine(t)
	o := Wait(t.Context(), waitOptions(m, WaitKMM, time.Millisecond))
	if o.Backend != outcome.Libpcap || o.Reason != outcome.WaitTimeout || !strings.Contains(o.Message, "nothing has loaded") {
		t.Errorf("%+v", o)
	}
	m.write("proc/modules", "pf_ring 1 0 - Loading 0x0\n")
	if o = Wait(t.Context(), waitOptions(m, WaitKMM, time.Millisecond)); !strings.Contains(o.Message, "still being loaded") {
		t.Errorf("%+v", o)
	}
	if err := os.Remove(m.path("proc/modules")); err != nil {
		t.Fatal(err)
	}
	if o = Wait(t.Context(), waitOptions(m, WaitKMM, time.Hour)); o.Reason != outcome.NoModuleSupport {
		t.Errorf("a kernel without modules is waited for: %+v", o)
	}
}

func TestWaitInAutoEndsAtOnceWhenThisBootFellBack(t *testing.T) {
	m := newMachine(t)
	r := Record{State: m.path("state/state.json")}
	before := m.host().blank("n1")
	before.Reason, before.Message = outcome.NoModuleForKernel, "none"
	r.Write(before, quiet())
	if o := Wait(t.Context(), waitOptions(m, WaitAuto, time.Hour)); o.Reason != outcome.NoModuleForKernel {
		t.Errorf("%+v", o)
	}
	// The agent that watches says that it has unloaded the module.
	gone, opts := before, waitOptions(m, WaitAuto, time.Hour)
	gone.Reason, opts.State, opts.Watch = outcome.ModuleGone, m.path("no/state.json"), m.path("watch/state.json")
	Record{State: opts.Watch}.Write(gone, quiet())
	if o := Wait(t.Context(), opts); o.Reason != outcome.ModuleGone {
		t.Errorf("%+v", o)
	}
	// Until the next agent begins to load.
	load := loadOptions(t, m)
	load.Watch = opts.Watch
	Load(t.Context(), load)
	if o, err := ReadOutcome(opts.Watch); o != nil || err != nil {
		t.Errorf("%+v %v", o, err)
	}
	m.unload()
	before.BootID = "of an earlier boot"
	r.Write(before, quiet())
	if o := Wait(t.Context(), waitOptions(m, WaitAuto, time.Millisecond)); o.Reason != outcome.WaitTimeout {
		t.Errorf("an earlier boot's outcome counted: %+v", o)
	}
}

// After a downgrade the state file is of a newer agent: with more fields, a reason
// that is not known, or in a form that cannot be read.
func TestAStateFileOfANewerAgentIsReadAsFarAsItGoes(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want outcome.Reason
	}{
		"more fields and a new reason": {`{"schemaVersion":2,"backend":"libpcap","reason":"not-invented-yet","bootID":%q,"module":{"version":"","news":[1]},"more":{"a":1}}`, "not-invented-yet"},
		"another type":                 {`{"schemaVersion":2,"backend":"libpcap","reason":{"code":"x"},"bootID":%q}`, outcome.WaitTimeout},
		"another backend":              {`{"schemaVersion":2,"backend":"af_xdp","reason":"loaded","bootID":%q}`, outcome.WaitTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			state := m.path("state/state.json")
			if err := replaceFile(state, fmt.Appendf(nil, c.line+"\n", m.host().BootID())); err != nil {
				t.Fatal(err)
			}
			opts := waitOptions(m, WaitAuto, 20*time.Millisecond)
			opts.State = state
			if o := Wait(t.Context(), opts); o.Reason != c.want {
				t.Errorf("wait: %+v", o)
			}
			load := loadOptions(t, m)
			load.State = state
			check(t, Load(t.Context(), load), outcome.PFRing, outcome.Loaded, "")
		})
	}
}

func newWatch(t *testing.T, m *machine, first outcome.Outcome) *Watch {
	t.Helper()
	Record{Shared: m.path("shared/outcome.json"), State: m.path("state/state.json")}.Write(first, quiet())
	return NewWatch(WatchOptions{
		Host: m.host(), Node: "n1", ModuleName: "pf_ring", First: m.path("shared/outcome.json"), State: m.path("state/state.json"),
		Record: Record{State: m.path("watch/state.json"), Termination: m.path("termination")}, Poll: time.Millisecond, Log: quiet(),
	})
}

func loadedOutcome(m *machine) outcome.Outcome {
	o := m.host().blank("n1")
	o.Backend, o.Reason, o.Message = outcome.PFRing, outcome.Loaded, "pf_ring 8.9.0 answers"
	o.Module = outcome.Module{Version: "8.9.0", SHA256: "ab", Source: `s3://b/"p"`, Verified: outcome.VerifiedSignature}
	if l := m.host().Loaded("pf_ring"); l != nil {
		o.Module.Instance = l.Instance
	}
	o.DurationMS.Total, o.FetchedBytes = 1234, 99
	return o
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAModuleThatVanishesMakesThePodUnreadyAndItsReturnReady(t *testing.T) {
	m := newMachine(t)
	m.load("8.9.0", 0)
	w := newWatch(t, m, loadedOutcome(m))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, l, ServerOptions{Metrics: true, Rings: true}) }()
	url := "http://" + l.Addr().String()

	if status, body := get(t, url+"/readyz"); status != 200 || !strings.Contains(body, "loaded") {
		t.Errorf("%d %s", status, body)
	}
	m.unload()
	w.look()
	if status, body := get(t, url+"/readyz"); status != 503 || !strings.Contains(body, "module-gone") {
		t.Errorf("%d %s", status, body)
	}
	for _, name := range []string{"watch/state.json", "termination"} {
		o, err := ReadOutcome(m.path(name))
		if err != nil || o.Reason != outcome.ModuleGone || o.Backend != outcome.Libpcap {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	for _, name := range []string{"shared/outcome.json", "state/state.json"} {
		if o, err := ReadOutcome(m.path(name)); err != nil || o.Reason != outcome.Loaded {
			t.Errorf("what load has written was changed: %s: %+v, %v", name, o, err)
		}
	}
	m.load("8.9.0", 0)
	successor := loadedOutcome(m)
	Record{State: m.path("state/state.json")}.Write(successor, quiet())
	w.look()
	if o := w.Outcome(); o.Reason != outcome.Loaded || o.Module != successor.Module {
		t.Errorf("loaded again by a successor: %+v", o)
	}
	_, metrics := get(t, url+"/metrics")
	for _, want := range []string{
		`pfring_backend{backend="pf_ring",reason="loaded"} 1`,
		`pfring_module_info{version="8.9.0",kernel="6.1.0-56-amd64",source="s3://b/\"p\"",verified="signature"} 1`,
		"pfring_load_duration_seconds 1.234\n", "pfring_fetch_bytes_total 99\n", "pfring_rings 0\n",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	if status, _ := get(t, url+"/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Whatever takes the place of the module that was verified is not verified,
// however alike it is and however fast it came.
func TestAModuleOfAnotherLoadIsNeverCalledVerified(t *testing.T) {
	for name, version := range map[string]string{"the same version": "8.9.0", "another version": "8.6.1"} {
		for _, verified := range []outcome.Verified{outcome.VerifiedSignature, outcome.VerifiedKMM} {
			m := newMachine(t)
			m.load("8.9.0", 0)
			first := loadedOutcome(m)
			first.Module.Verified = verified
			w := newWatch(t, m, first)
			if o := w.Outcome(); o.Module.Verified != verified {
				t.Fatalf("%+v", o)
			}
			m.unload()
			m.load(version, 0) // between two looks
			w.look()
			o := w.Outcome()
			if o.Backend != outcome.PFRing || o.Module.Version != version || o.Module.Verified != outcome.VerifiedNone || o.Module.Source != "unknown" || o.Module.SHA256 != "" {
				t.Errorf("%s, %s: %+v", name, verified, o)
			}
			if kept, err := ReadOutcome(m.path("watch/state.json")); err != nil || kept.Module != o.Module {
				t.Errorf("%s, %s: written %+v, %v", name, verified, kept, err)
			}
		}
	}
}

func TestParametersThatSomebodyChangesAreTold(t *testing.T) {
	m := newMachine(t)
	m.params = "min_num_slots=8192"
	m.load("8.9.0", 0)
	first := loadedOutcome(m)
	first.Module.Parameters = "min_num_slots=0x2000"
	w := newWatch(t, m, first)
	if o := w.Outcome(); o.Reason != outcome.Loaded {
		t.Fatalf("%+v", o)
	}
	m.write("sys/module/pf_ring/parameters/min_num_slots", "4096\n")
	w.look()
	if o := w.Outcome(); o.Reason != outcome.OtherParameters || !strings.Contains(o.Message, "min_num_slots is 4096") {
		t.Errorf("%+v", o)
	}
}

func TestAFallbackIsReadyAndALateModuleIsNoticed(t *testing.T) {
	m := newMachine(t)
	first := m.host().blank("n1")
	first.Reason = outcome.WaitTimeout
	w := newWatch(t, m, first)
	if w.gone() {
		t.Error("a fallback counts as a module that is gone")
	}
	m.load("8.8.0", 0)
	w.look()
	if o := w.Outcome(); o.Backend != outcome.PFRing || o.Reason != outcome.AlreadyLoaded || o.Module.Version != "8.8.0" || o.Module.Verified != outcome.VerifiedKMM {
		t.Errorf("%+v", o)
	}
}

func TestUnloadNeverForcesAndIsBounded(t *testing.T) {
	m := newMachine(t)
	if err := Unload(t.Context(), m.host(), "pf_ring"); err != nil || m.deletes != 0 {
		t.Errorf("nothing is loaded: %v, the kernel was asked %d times to remove it", err, m.deletes)
	}
	m.load("8.9.0", 2)
	w := newWatch(t, m, loadedOutcome(m))
	w.UnloadAtEnd(time.Millisecond)
	if o, err := ReadOutcome(m.path("watch/state.json")); err != nil || o.Reason != outcome.UnloadBusy || !strings.Contains(o.Message, "by 2") {
		t.Errorf("%+v %v", o, err)
	}
	if m.host().Loaded("pf_ring") == nil {
		t.Error("a module in use is gone")
	}
	time.AfterFunc(70*time.Millisecond, func() { m.mu.Lock(); defer m.mu.Unlock(); m.load("8.9.0", 0) })
	w.UnloadAtEnd(time.Minute)
	if m.host().Loaded("pf_ring") != nil {
		t.Error("still loaded after its last user went")
	}
}

func TestRingsAreFoundInEachNetworkNamespaceOnce(t *testing.T) {
	m := newMachine(t)
	ring := func(process, name string) {
		m.write("proc/"+process+"/net/dev", "x")
		if name != "" {
			m.write("proc/"+process+"/net/pf_ring/info", "PF_RING Version : 8.9.0\n")
			m.write("proc/"+process+"/net/pf_ring/"+name, "Bound Device(s)    : eth0\nAppl. Name : worker\nTot Packets : 17\nTot Pkt Lost : 3\n")
		}
	}
	ring("100", "100-eth0.1")
	ring("200", "200-any.2")
	ring("300", "")
	// 101 is in the namespace of 100: the same files.
	if err := os.MkdirAll(m.path("proc/101/net/pf_ring"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"dev", "pf_ring/100-eth0.1"} {
		if err := os.Link(m.path("proc/100/net/"+f), m.path("proc/101/net/"+f)); err != nil {
			t.Fatal(err)
		}
	}
	got := m.host().Rings("pf_ring")
	want := []Ring{
		{Name: "100-eth0.1", Device: "eth0", App: "worker", Packets: 17, Lost: 3},
		{Name: "200-any.2", Device: "eth0", App: "worker", Packets: 17, Lost: 3},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v", got)
	}
}

func TestRecordReplacesAtomicallyAndCleansUpAfterAKill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "state.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "sub", ".state.json.123.tmp")
	if err := os.WriteFile(stale, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t)
	Record{State: path, Termination: filepath.Join(dir, "no", "such")}.Write(loadedOutcome(m), quiet())
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
	if o, err := ReadOutcome(path); err != nil || o.Reason != outcome.Loaded {
		t.Errorf("%+v %v", o, err)
	}
	if err := os.WriteFile(path, []byte("{broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOutcome(path); err == nil {
		t.Error("a broken file was read")
	}
	if o, err := ReadOutcome(filepath.Join(dir, "none")); o != nil || err != nil {
		t.Errorf("%v %v", o, err)
	}
}

// A record is a prefix, a message and lines of its own; what a driver prints may
// hold any bytes.
func FuzzKernelRecord(f *testing.F) {
	for _, record := range []string{"6,339,5140900,-;pf_ring: loading\n SUBSYSTEM=net\n", "4,1,2,c;a;b", "no record", "", ";", "6,1,2,-;\n", "6,1,2,-;\\x1b[2J"} {
		f.Add([]byte(record))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		text, ok := recordText(record)
		if strings.Contains(text, "\n") || !bytes.Contains(record, []byte(text)) || ok != bytes.Contains(record, []byte(";")) {
			t.Errorf("%q: %q, %v", record, text, ok)
		}
	})
}

// What a newer or a broken agent has left stops nothing, and what is accepted
// then is remembered.
func FuzzMemory(f *testing.F) {
	for _, text := range []string{"", "null", "{}", "[]", `{"key":null}`, `{"key":1}`, `{"key":{"serial":"7"}}`, `{"key":{"serial":3,"versions":{"a":"1"},"more":[]},"b":2}`, `{"key":{"serial":9223372036854775807}}`} {
		f.Add([]byte(text))
	}
	c := cache{dir: f.TempDir(), log: quiet()}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(c.dir, seenName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		before := c.seen()["key"]
		c.accept("key", 7, "6.1.0", "8.9.0")
		after := c.seen()["key"]
		if after.Serial != max(7, before.Serial) || after.Versions["6.1.0"] == "" {
			t.Errorf("%q: %+v became %+v", data, before, after)
		}
	})
}

func FuzzRingFile(f *testing.F) {
	f.Add([]byte("Tot Packets : 18446744073709551616\n: \n\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseRing("1-a.0", data) })
}
