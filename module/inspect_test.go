package module_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// reason returns the code of err, or "" if it is no *module.Error.
func reason(err error) outcome.Reason {
	var e *module.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestInspectTellsWhatTheModuleSaysOfItself(t *testing.T) {
	data := moduletest.KO{
		Fields: []string{
			"srcversion=ABCDEF", "intree=Y", "description=Packet capture acceleration module", "author=ntop",
			"parm=min_num_slots:Min number of ring slots", "parmtype=min_num_slots:uint", "parmtype=quick_mode:uint",
			"parm=colons:first: second", "novalue",
		},
		Symbols: []string{"module_layout", "printk"},
	}.Bytes()
	if _, err := elf.NewFile(bytes.NewReader(data)); err != nil {
		t.Fatalf("the fixture is not ELF: %v", err)
	}
	got, err := module.Inspect(data)
	if err != nil {
		t.Fatal(err)
	}
	want := module.Info{
		Name: "pf_ring", Version: "8.9.0", SrcVersion: "ABCDEF", License: "GPL", InTree: true,
		Vermagic: moduletest.Kernel + " SMP preempt mod_unload modversions ", KernelRelease: moduletest.Kernel, Arch: "amd64",
		Description: "Packet capture acceleration module", Author: "ntop",
		Depends: []string{}, Aliases: []string{"net-pf-27"},
		Parameters: []module.Parameter{
			{Name: "min_num_slots", Type: "uint", Description: "Min number of ring slots"},
			{Name: "quick_mode", Type: "uint"}, {Name: "colons", Description: "first: second"},
		},
		Symbols: []module.Symbol{{Name: "module_layout", CRC: 1}, {Name: "printk", CRC: 2}},
		Size:    int64(len(data)),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if names := strings.Join(got.ParameterNames(), " "); names != "min_num_slots quick_mode colons" {
		t.Errorf("parameters %s", names)
	}
}

func TestInspectFindsTheNameWhereOldKernelsKeepIt(t *testing.T) {
	info, err := module.Inspect(moduletest.KO{Name: "-", StructName: "pf_ring"}.Bytes())
	if err != nil || info.Name != "pf_ring" {
		t.Errorf("name %q, %v", info.Name, err)
	}
}

func TestInspectMakesTextSafeToPrint(t *testing.T) {
	info, err := module.Inspect(moduletest.KO{Fields: []string{"description=a\x1b[2Jb\nc\xff"}}.Bytes())
	if err != nil || info.Description != "a?[2Jb?c?" {
		t.Errorf("%q, %v", info.Description, err)
	}
}

func TestInspectTellsASignatureAndItsSigner(t *testing.T) {
	for name, test := range map[string]struct {
		signature []byte
		signer    string
	}{
		"not a PKCS #7 message": {[]byte("?"), ""},
		"empty":                 {[]byte{}, ""},
		"made by openssl":       {opensslSignature(t), "Test Module Signer"},
	} {
		info, err := module.Inspect(moduletest.KO{Signature: test.signature}.Bytes())
		if err != nil || !info.Signed || info.Signer != test.signer {
			t.Errorf("%s: signed %v by %q, %v", name, info.Signed, info.Signer, err)
		}
	}
	info, err := module.Inspect(append(moduletest.KO{}.Bytes(), "~Module signature appended~\n"...))
	if err != nil || !info.Signed {
		t.Errorf("magic alone: %v %v", info.Signed, err)
	}
}

// opensslSignature signs as the kernel's sign-file does.
func opensslSignature(t *testing.T) []byte {
	t.Helper()
	script := `openssl req -new -x509 -newkey rsa:2048 -nodes -subj "/CN=Test Module Signer" -keyout key.pem -out cert.pem 2>/dev/null &&
		printf x | openssl cms -sign -binary -nocerts -noattr -signer cert.pem -inkey key.pem -outform DER`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl (apt-get install openssl) failed: %v", err)
	}
	return out
}

func TestInspectRefusesWhatIsNoModuleForANode(t *testing.T) {
	ko := moduletest.KO{}.Bytes()
	for _, test := range []struct {
		name string
		data []byte
		want outcome.Reason
		says string
	}{
		{"empty", nil, outcome.NotAModule, "empty"},
		{"an error page", []byte("<!DOCTYPE html><html>"), outcome.NotAModule, "<!DOCTYPE"},
		{"program", moduletest.KO{Type: elf.ET_EXEC}.Bytes(), outcome.NotAModule, "ET_EXEC"},
		{"no modinfo", bytes.Replace(ko, []byte(".modinfo"), []byte(".modinfx"), 1), outcome.NotAModule, ".modinfo"},
		{"says nothing", moduletest.KO{Name: "-", StructName: "\x00", Kernel: "-"}.Bytes(), outcome.NotAModule, "neither"},
		{"32-bit", moduletest.KO{Class: elf.ELFCLASS32, Machine: elf.EM_386}.Bytes(), outcome.WrongArch, "386"},
		{"big-endian", moduletest.KO{Data: elf.ELFDATA2MSB, Machine: elf.EM_S390}.Bytes(), outcome.WrongArch, "s390x"},
		{"magic only", ko[:4], outcome.Truncated, "4 bytes"},
		{"header only", ko[:64], outcome.Truncated, "section headers"},
		{"half", ko[:len(ko)/2], outcome.Truncated, "section headers"},
		{"one byte short", ko[:len(ko)-1], outcome.Truncated, "section headers"},
		{"section beyond the end", endless(ko), outcome.Truncated, ".modinfo"},
	} {
		_, err := module.Inspect(test.data)
		if reason(err) != test.want || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// endless gives the second section, .modinfo, a size beyond all bounds.
func endless(ko []byte) []byte {
	out := bytes.Clone(ko)
	headers := binary.LittleEndian.Uint64(out[40:])
	binary.LittleEndian.PutUint64(out[headers+64+32:], ^uint64(0))
	return out
}

func TestCheckTellsTheWantedModuleFromOthers(t *testing.T) {
	info, err := module.Inspect(moduletest.KO{}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kernel, arch, name string
		want               outcome.Reason
	}{
		{moduletest.Kernel, "amd64", "pf_ring", ""},
		{moduletest.Kernel, "amd64", "pf-ring", ""},
		{"", "", "", ""},
		{"6.1.0-18-cloud-amd6", "amd64", "pf_ring", outcome.WrongKernel},
		{moduletest.Kernel + "x", "amd64", "pf_ring", outcome.WrongKernel},
		{moduletest.Kernel, "arm64", "pf_ring", outcome.WrongArch},
		{moduletest.Kernel, "amd64", "e1000", outcome.WrongModule},
	} {
		if err := info.Check(test.kernel, test.arch, test.name); reason(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	ko := moduletest.KO{Fields: []string{"parm=a:b", "parmtype=a:uint"}, Symbols: []string{"x"}, Signature: []byte("?")}.Bytes()
	f.Add(ko)
	f.Add(ko[:100])
	f.Add(endless(ko))
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := module.Inspect(data)
		if err != nil {
			if reason(err) == "" {
				t.Errorf("an error without a reason: %v", err)
			}
			return
		}
		if err := info.Check(info.KernelRelease, info.Arch, info.Name); err != nil {
			t.Errorf("it is not what it says it is: %v", err)
		}
		if len(info.Symbols) > len(data)/64 || len(info.Parameters) > len(data) {
			t.Errorf("%d bytes gave %d symbols and %d parameters", len(data), len(info.Symbols), len(info.Parameters))
		}
	})
}
