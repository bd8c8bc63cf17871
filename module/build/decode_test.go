package build

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

const mark = "pfring:0123456789abcdef"

// framed is a module as end.sh prints it.
func framed(ko []byte) string {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(ko); err != nil {
		panic(err)
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s step deliver\n%s module %d %x\n", mark, mark, packed.Len(), sha256.Sum256(ko))
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	for ; len(text) > 76; text = text[76:] {
		b.WriteString(text[:76] + "\n")
	}
	b.WriteString(text + "\n" + mark + " end\n")
	return b.String()
}

func decodeText(t *testing.T, log string) *Record {
	t.Helper()
	r, err := Decode(strings.NewReader(log), mark, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestALogGivesTheModuleThatWasPutIntoIt(t *testing.T) {
	ko := moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 300 << 10}.Bytes()
	var steps, lines []string
	log := "Reading package lists\n" + mark + " step packages\nSetting up gcc\n" + mark + " step compile\n\x1b[31mCC [M] pf_ring.o\x1b[0m\r\n" + framed(ko)
	r, err := Decode(strings.NewReader(log), mark, func(s string) { steps = append(steps, s) }, func(s string) { lines = append(lines, s) })
	if err != nil || !bytes.Equal(r.Module, ko) || r.Problem != nil {
		t.Fatalf("%d bytes, %v, %v", len(r.Module), r.Problem, err)
	}
	if got := strings.Join(steps, " "); got != "packages compile deliver" {
		t.Errorf("steps %q", got)
	}
	if got := strings.Join(lines, "|"); got != "Reading package lists|Setting up gcc|CC [M] pf_ring.o" {
		t.Errorf("lines %q", got)
	}
}

func TestADamagedLogGivesNoModuleAndSaysWhy(t *testing.T) {
	ko := moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 100 << 10}.Bytes()
	good := framed(ko)
	sum := fmt.Sprintf("%x", sha256.Sum256(ko))
	middle := len(good) / 2
	for _, c := range []struct{ name, log, says string }{
		{"empty", "", "no module found"},
		{"only text", "gcc: error: no such file\n", "no module found"},
		{"truncated", good[:middle], "ends in the middle of the module"},
		{"a line is missing", good[:middle] + good[middle+strings.IndexByte(good[middle:], '\n')+1+76:], ""},
		{"end is missing", strings.TrimSuffix(good, mark+" end\n"), "ends in the middle"},
		{"text between", good[:middle-strings.IndexByte(good[middle:], '\n')] + "\nmake: *** [all] Error 2\n" + good[middle:], "unexpected text inside the module"},
		{"sum of another", strings.Replace(good, sum, strings.Repeat("0", 64), 1), "damaged"},
		{"no sum", strings.Replace(good, " "+sum, "", 1), "without its size"},
		{"negative size", mark + " module -5 " + sum + "\n" + mark + " end\n", "without its size"},
		{"huge size", mark + " module 99999999999 " + sum + "\n", "the limit is 24 MiB"},
		{"longer than announced", mark + " module 3 " + sum + "\nAAAAAAAA\n" + mark + " end\n", "longer than announced"},
		{"not gzip", mark + " module 6 " + sum + "\nAAAAAAAA\n" + mark + " end\n", "cannot unpack"},
		{"two modules", good + good, "2 modules"},
		{"two modules, the first of which is none", mark + " module -5 " + sum + "\n" + good, "2 modules"},
		{"rotated within the module", good[middle+strings.IndexByte(good[middle:], '\n')+1:], "the node has rotated it"},
		{"rotated after the module", "make: Leaving directory\n", "no module found"},
		{"one line too long to keep", mark + " module " + strconv.Itoa(len(ko)) + " " + sum + "\n" + base64.StdEncoding.EncodeToString(ko) + "\n" + mark + " end\n", "of the module's"},
		{"binary", "\x00\x7fELF\x02" + strings.Repeat("\xff\xfe\x00", 3000), "no module found"},
		{"another's mark", strings.ReplaceAll(good, mark, "pfring:fedcba9876543210"), "no module found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := decodeText(t, c.log)
			if r.Module != nil || r.Problem == nil || !strings.Contains(r.Problem.Error(), c.says) {
				t.Errorf("module of %d bytes, problem %v; want one that says %q", len(r.Module), r.Problem, c.says)
			}
		})
	}
}

// Runtimes and scripts end lines in either way, and other text may be around a module
// in lines of any length.
func TestAModuleIsFoundWhateverIsAroundIt(t *testing.T) {
	ko := moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 100 << 10}.Bytes()
	good := framed(ko)
	for name, log := range map[string]string{
		"CR LF":              strings.ReplaceAll("gcc\n"+good, "\n", "\r\n"),
		"long lines before":  strings.Repeat("x", 5*maxLine) + "\n" + strings.Repeat("y", maxLine-1) + "\n" + good,
		"long lines after":   good + strings.Repeat("x", 5*maxLine) + "\n",
		"no line end at all": good + strings.Repeat("z", 3*maxLine),
		"end without its LF": strings.TrimSuffix(good, "\n"),
		"a second end":       good + mark + " end\n",
	} {
		if r := decodeText(t, log); r.Problem != nil || !bytes.Equal(r.Module, ko) {
			t.Errorf("%s: module of %d bytes, problem %v", name, len(r.Module), r.Problem)
		}
	}
}

func TestAScriptThatFailsHasNoModuleWhateverItHasPrinted(t *testing.T) {
	good := framed(moduletest.KO{Kernel: "6.1.0-18-amd64"}.Bytes())
	for _, log := range []string{good + mark + " fail the end\n", mark + " fail the end\n" + good} {
		if r := decodeText(t, log); r.Module != nil || r.Failure != "the end" {
			t.Errorf("%d bytes, %q", len(r.Module), r.Failure)
		}
	}
}

func TestALogCannotBlowUpMemory(t *testing.T) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 65 {
		if _, err := zip.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := fmt.Sprintf("%s module %d %s\n%s\n%s end\n", mark, packed.Len(), strings.Repeat("0", 64), wrapped(packed.Bytes()), mark)
	if r := decodeText(t, bomb); r.Module != nil || !strings.Contains(r.Problem.Error(), "larger than") {
		t.Errorf("a bomb: %v", r.Problem)
	}
	// A line without an end is cut, and so is what is kept of many.
	r := decodeText(t, strings.Repeat("x", 3<<20)+"\n"+strings.Repeat("error: y\n", 10000))
	if lines := r.Lines(1000); len(lines) != kept || len(r.tail) != kept || len(r.tail[0]) > maxLine {
		t.Errorf("%d lines of errors, %d of the end", len(lines), len(r.tail))
	}
}

func wrapped(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for ; len(text) > 76; text = text[76:] {
		b.WriteString(text[:76] + "\n")
	}
	return b.String() + text
}

func TestOneLineTellsMost(t *testing.T) {
	for want, lines := range map[string][]string{
		"": nil, "b": {"a", "b"}, "x.c:1: error: y": {"CC x.o", "x.c:1: error: y", "make: *** [x.o] Error 1", "done"},
	} {
		if got := Telling(lines); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestTheFirstRealErrorsAreShown(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"compiler", "CC [M] pf_ring.o\npf_ring.c:12:10: fatal error: linux/nosuch.h: No such file or directory\ncompilation terminated.\nmake[1]: *** [pf_ring.o] Error 1\nmake: *** [all] Error 2\n", "pf_ring.c:12:10: fatal error: linux/nosuch.h: No such file or directory"},
		{"apt", "Reading package lists...\nE: Unable to locate package linux-headers-1\n", "E: Unable to locate package linux-headers-1"},
		{"disk", "LD [M] x\n/usr/bin/ld: final link failed: No space left on device\n", "/usr/bin/ld: final link failed: No space left on device"},
		{"nothing speaks of an error", "one\ntwo\n", "one"},
		{"control characters", "error: \x1b]0;owned\x07\x1b[2J\u202eevil\x00\n", "error: ?evil?"},
	} {
		lines := decodeText(t, c.log).Lines(3)
		if len(lines) == 0 || lines[0] != c.want {
			t.Errorf("%s: %q", c.name, lines)
		}
	}
}

func TestTheScriptsOwnWordComesThrough(t *testing.T) {
	r := decodeText(t, mark+" step headers\nE: nothing\n"+mark+" fail there are no headers \x1b[1m\n"+mark+" fail again\n")
	if r.Failure != "there are no headers" || r.Step != "headers" {
		t.Errorf("%+v", r)
	}
}

func FuzzDecode(f *testing.F) {
	good := framed(moduletest.KO{Kernel: "6.1.0-18-amd64"}.Bytes())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(mark + " module 1 \n")
	f.Add(strings.Replace(good, "A", mark+" end\n", 1))
	f.Add("\x1b[2J\x1b]0;x")
	f.Fuzz(func(t *testing.T, log string) {
		show := func(s string) {
			for _, c := range s {
				if c < ' ' || c == 0x7f || c == 0x9b {
					t.Errorf("%q would move a cursor", s)
				}
			}
		}
		r, err := Decode(strings.NewReader(log), mark, show, show)
		if err != nil {
			t.Fatal(err)
		}
		if (r.Module == nil) == (r.Problem == nil) {
			t.Errorf("module of %d bytes, problem %v", len(r.Module), r.Problem)
		}
		show(r.Failure)
		for _, line := range r.Lines(10) {
			show(line)
		}
		if r.Problem != nil {
			show(r.Problem.Error())
		}
	})
}

// A build says which build of the kernel its headers are of; a log may say anything.
func TestALogTellsTheBuildOfTheKernel(t *testing.T) {
	ko := moduletest.KO{Kernel: "6.8.0-40-generic"}.Bytes()
	const hwe = "#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC Tue Jul 30 17:30:19 UTC 2"
	for said, want := range map[string]string{
		hwe: hwe, "": "", strings.Repeat("#", 65): "", "#1 \x1b[31mSMP": "", "#1 \xff": "",
	} {
		r := decodeText(t, mark+" kernel-version "+said+"\n"+framed(ko))
		if r.KernelVersion != want || r.Module == nil {
			t.Errorf("%q is read as %q, %v", said, r.KernelVersion, r.Problem)
		}
	}
	if r := decodeText(t, mark+" kernel-version #1\n"+mark+" kernel-version \x07\n"+framed(ko)); r.KernelVersion != "" {
		t.Errorf("of two, one of them no version, %q is taken", r.KernelVersion)
	}
}

func TestAModuleThatIsShorterThanAnnouncedIsNotUnpacked(t *testing.T) {
	log := strings.Replace(framed(moduletest.KO{Kernel: "6.1.0-18-amd64"}.Bytes()), mark+" module ", mark+" module 1", 1)
	r := decodeText(t, log)
	if r.Module != nil || r.Problem == nil || !strings.Contains(r.Problem.Error(), "of the module's") {
		t.Errorf("module of %d bytes, problem %v", len(r.Module), r.Problem)
	}
}
