package outcome

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func sample() Outcome {
	return Outcome{
		Node: "n1", Kernel: "6.1.0-18-amd64", Arch: "amd64", BootID: "b", Backend: PFRing, Reason: Loaded,
		Message: "loaded", Module: Module{Version: "8.9.0", Verified: VerifiedSignature},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)),
	}
}

func TestEncodeWritesTheContractsFieldsOnOneLine(t *testing.T) {
	line, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schemaVersion":1,"node":"n1","kernel":"6.1.0-18-amd64","arch":"amd64","bootID":"b","backend":"pf_ring","reason":"loaded","message":"loaded","module":{"version":"8.9.0","sha256":"","source":"","verified":"signature"},"durationMs":{"total":0,"fetch":0,"load":0},"time":"2026-01-02T02:04:05Z"}` + "\n"
	if string(line) != want {
		t.Errorf("got  %swant %s", line, want)
	}
}

func TestEncodeShortensALongMessageWithoutBreakingCharacters(t *testing.T) {
	for _, unit := range []string{"a", "é", "\x01", "\"", "界", "<&>"} {
		o := sample()
		o.Message = "begin " + strings.Repeat(unit, 9000) + " end"
		line, err := o.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(line) > MaxSize {
			t.Errorf("%q: %d bytes", unit, len(line))
		}
		got, err := Parse(line)
		if err != nil {
			t.Fatalf("%q: %v", unit, err)
		}
		if !strings.HasPrefix(got.Message, "begin ") || !strings.HasSuffix(got.Message, " end") || !utf8.ValidString(got.Message) {
			t.Errorf("%q: message lost its ends: %.20q … %.20q", unit, got.Message, got.Message[len(got.Message)-20:])
		}
		if len(line) < MaxSize/2 {
			t.Errorf("%q: cut to %d bytes, far more than needed", unit, len(line))
		}
	}
}

func TestEncodeRefusesWhatNoShorterMessageCanMend(t *testing.T) {
	o := sample()
	o.Module.Source = strings.Repeat("s", MaxSize)
	if _, err := o.Encode(); err == nil {
		t.Error("an outcome over the limit was encoded")
	}
}

func TestParseFindsTheLineAmongOtherText(t *testing.T) {
	line, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse([]byte("panic: something\n{}\n" + string(line) + "trailer"))
	if err != nil || got.Reason != Loaded {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, text := range []string{"", "Error", "{}", "null\n"} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrNotOutcome) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := Parse(line[:len(line)/2]); err == nil {
		t.Error("half a line was accepted")
	}
}

func TestEveryReasonIsKebabCaseUniqueAndExplained(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[Reason]bool{}
	for _, info := range Reasons() {
		if !kebab.MatchString(string(info.Reason)) || seen[info.Reason] || info.Cause == "" {
			t.Errorf("bad entry %+v", info)
		}
		if (info.Remedy == "") != (info.Group == GroupGood) {
			t.Errorf("%s: a remedy belongs to every reason that is not good, and to no other", info.Reason)
		}
		seen[info.Reason] = true
	}
	if len(seen) != 42 {
		t.Errorf("%d reasons; the contract has 42", len(seen))
	}
}

func FuzzParse(f *testing.F) {
	line, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("{\"schemaVersion\":1,\"backend\":\"x\",\"reason\":\"y\",\"message\":\"\\ud800\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := Parse(text)
		if err != nil {
			return
		}
		if _, err := json.Marshal(o); err != nil {
			t.Errorf("parsed but cannot be written: %v", err)
		}
	})
}
