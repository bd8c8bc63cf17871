package outcome

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func sampleProbe(targets int, message string) Probe {
	p := Probe{
		Node: "n1", Kernel: "6.1.0-18-amd64", Arch: "amd64", BootID: "b", Agent: "1.0.0",
		Host: ProbeHost{
			Modules: Yes, ModulesDisabled: No, Lockdown: "none", SecureBoot: No, SigEnforce: No, SELinux: Unknown,
			HostSys: Yes, CapSysModule: No, Seccomp: Yes, MayLoad: Unknown,
		},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	for i := range targets {
		p.Targets = append(p.Targets, ProbeTarget{Kind: TargetRegistry, Target: fmt.Sprintf("registry-%d.example.com", i), OK: i%2 == 0, Message: message})
	}
	return p
}

func TestAProbeReadsBack(t *testing.T) {
	line, err := sampleProbe(1, "it answers <401>").Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schemaVersion":1,"kind":"probe","node":"n1","kernel":"6.1.0-18-amd64","arch":"amd64","bootID":"b","agent":"1.0.0",` +
		`"host":{"modules":"yes","modulesDisabled":"no","lockdown":"none","secureBoot":"no","sigEnforce":"no","seLinux":"unknown","hostSys":"yes","capSysModule":"no","seccomp":"yes","mayLoad":"unknown"},` +
		`"targets":[{"kind":"registry","target":"registry-0.example.com","ok":true,"message":"it answers <401>","durationMs":0}],"time":"2026-01-02T03:04:05Z"}` + "\n"
	if string(line) != want {
		t.Errorf("got  %swant %s", line, want)
	}
	got, err := ParseProbe([]byte("{\"level\":\"INFO\"}\nsome log\n" + string(line) + "more"))
	if err != nil || got.Host != sampleProbe(0, "").Host || len(got.Targets) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAProbeFitsATerminationMessageAndKeepsWhatFailed(t *testing.T) {
	for _, targets := range []int{1, 10, 20, 60, 300} {
		for _, message := range []string{"", strings.Repeat("界\x01", 3000)} {
			line, err := sampleProbe(targets, message).Encode()
			if err != nil || len(line) > MaxProbeSize {
				t.Fatalf("%d targets: %d bytes, %v", targets, len(line), err)
			}
			p, err := ParseProbe(line)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Targets) < targets {
				if last := p.Targets[len(p.Targets)-1]; last.Target != "" || last.OK || !strings.Contains(last.Message, "left out") || p.Targets[0].OK {
					t.Errorf("%d targets, %d left: %+v", targets, len(p.Targets), p.Targets)
				}
			}
		}
	}
}

func TestWhatIsNoProbeIsNotReadAsOne(t *testing.T) {
	o, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "exec format error", "{", `{"kind":"probe"}`, string(o)} {
		if p, err := ParseProbe([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, p)
		}
	}
}

func TestAKernelNeedsASignatureWhenItEnforcesOneOrIsLockedDown(t *testing.T) {
	for want, hosts := range map[string][]ProbeHost{
		Yes: {{SigEnforce: Yes, Lockdown: "none"}, {SigEnforce: No, Lockdown: "integrity"}, {SigEnforce: Unknown, Lockdown: "confidentiality"}},
		No:  {{SigEnforce: No, Lockdown: "none"}},
		// Secure Boot alone does not tell: distributions tie lockdown to it, or do not.
		Unknown: {{SigEnforce: No, Lockdown: Unknown, SecureBoot: Yes}, {SigEnforce: Unknown, Lockdown: "none"}, {}},
	} {
		for _, h := range hosts {
			if got := h.NeedsSignature(); got != want {
				t.Errorf("%+v: %s, want %s", h, got, want)
			}
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	line, err := sampleProbe(2, "x").Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"schemaVersion":1,"kind":"probe"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProbe(text)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err == nil && len(again) > MaxProbeSize {
			t.Errorf("%d bytes", len(again))
		}
	})
}
