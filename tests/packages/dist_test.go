// Package packages_test makes what a release ships as `make dist`, `make chart`
// and `make image` do, and uses it as people will: as a plugin of the real
// helm, as a chart from a registry, as a krew plugin.
package packages_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

const version = "v0.1.0"

func root(t *testing.T) string {
	t.Helper()
	dir, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dist runs hack/dist.sh for the platform of this machine alone: the others take
// minutes to compile, which continuous integration does.
func dist(t *testing.T, out string) {
	t.Helper()
	dir := root(t)
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		t.Skip("needs a git checkout: a release bears the time of its commit")
	}
	run(t, dir, []string{"VERSION=" + version, "OUT=" + out, "PLATFORMS=" + platform("/")}, "hack/dist.sh")
}

func platform(between string) string { return runtime.GOOS + between + runtime.GOARCH }

var once = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "pfring-dist") })

// released is the folder of a release, made once.
func released(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds the programs; run without -short")
	}
	dir, err := once()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "checksums.txt")); err != nil {
		dist(t, dir)
	}
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := once(); err == nil {
		_ = os.RemoveAll(dir) // a temporary folder; nothing hangs on it
	}
	os.Exit(code)
}

func sum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func TestAReleaseHasChecksumsOfAllItsFilesAndIsTheSameTwice(t *testing.T) {
	dir, again := released(t), t.TempDir()
	dist(t, again)
	listed := checksums(t, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "checksums.txt" || strings.HasSuffix(e.Name(), ".krew.yaml") {
			continue
		}
		if listed[e.Name()] != sum(t, filepath.Join(dir, e.Name())) {
			t.Errorf("%s has another checksum than the one listed", e.Name())
		}
	}
	second := checksums(t, again)
	for name, got := range second {
		if got != listed[name] {
			t.Errorf("%s differs the second time", name)
		}
	}
	if len(second) < 7 {
		t.Errorf("the second time there are %d files", len(second))
	}
	for _, want := range []string{
		"kubeshark-pfring-0.1.0.tgz", "pfring_v0.1.0_" + platform("_") + ".tar.gz", "pfring_v0.1.0_" + platform("_") + ".spdx.json",
		"pfring-agent_v0.1.0_linux_amd64", "pfring-agent_v0.1.0_linux_arm64", "pfring-agent_v0.1.0_linux_arm64.spdx.json",
		"pfring-controller_v0.1.0_linux_amd64", "pfring-controller_v0.1.0_linux_arm64.spdx.json",
	} {
		if listed[want] == "" {
			t.Errorf("%s is missing", want)
		}
	}
}

func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		digest, name, _ := strings.Cut(lines.Text(), "  ")
		out[name] = digest
	}
	return out
}

func TestAnArchiveHoldsTheProgramItsLicencesAndCompletions(t *testing.T) {
	out := run(t, released(t), nil, "tar", "-tzf", "pfring_"+version+"_"+platform("_")+".tar.gz")
	want := []string{
		"LICENSE", "README.md", "THIRD_PARTY_LICENSES", "completions/", "completions/pfring.bash", "completions/pfring.fish",
		"completions/pfring.powershell", "completions/pfring.zsh", "kubectl_complete-pfring", "man/", "pfring", "plugin.yaml",
	}
	got := strings.Fields(out)
	manual := func(name string) bool { return strings.HasPrefix(name, "man/pfring") && strings.HasSuffix(name, ".1") }
	if !slices.Contains(got, "man/pfring-prereq-check.1") {
		t.Errorf("no manual pages: %q", got)
	}
	if got = slices.DeleteFunc(got, manual); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestTheListsOfWhatIsLinkedInAreSPDX(t *testing.T) {
	for name := range checksums(t, released(t)) {
		if !strings.HasSuffix(name, ".spdx.json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(released(t), name))
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			SPDXVersion string `json:"spdxVersion"`
			Packages    []struct{ Name, VersionInfo string }
		}
		if err := json.Unmarshal(data, &d); err != nil || d.SPDXVersion != "SPDX-2.3" || len(d.Packages) < 5 || d.Packages[0].VersionInfo != version {
			t.Errorf("%s: %v %+v", name, err, d)
		}
	}
}

// What krew refuses: see its documentation of plugin manifests.
func TestTheKrewManifestFitsTheArchives(t *testing.T) {
	dir := t.TempDir()
	platforms := []string{"linux_amd64.tar.gz", "linux_arm64.tar.gz", "darwin_amd64.tar.gz", "darwin_arm64.tar.gz", "windows_amd64.zip", "windows_arm64.zip"}
	var sums strings.Builder
	for _, p := range platforms {
		name := "pfring_" + version + "_" + p
		if err := os.WriteFile(filepath.Join(dir, name), []byte(p), 0o600); err != nil {
			t.Fatal(err)
		}
		sums.WriteString(sum(t, filepath.Join(dir, name)) + "  " + name + "\n" + sum(t, filepath.Join(dir, name)) + "  " + name + ".spdx.json\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "checksums.txt"), []byte(sums.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	data := []byte(run(t, root(t), nil, "hack/krew.sh", version, dir))
	var m struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             struct {
			Version, Homepage, ShortDescription, Description string
			Platforms                                        []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, Sha256, Bin string
				Files            []struct{ From, To string }
			}
		}
	}
	if err := yaml.UnmarshalStrict(data, &m); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if m.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || m.Kind != "Plugin" || m.Metadata.Name != "pfring" ||
		!regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(m.Spec.Version) || len(m.Spec.ShortDescription) > 50 || m.Spec.Description == "" {
		t.Errorf("%s", data)
	}
	if len(m.Spec.Platforms) != len(platforms) {
		t.Fatalf("%d platforms", len(m.Spec.Platforms))
	}
	for _, p := range m.Spec.Platforms {
		file := filepath.Join(dir, p.URI[strings.LastIndexByte(p.URI, '/')+1:])
		if sum(t, file) != p.Sha256 || p.Selector.MatchLabels["arch"] == "" || (p.Bin == "pfring.exe") != (p.Selector.MatchLabels["os"] == "windows") {
			t.Errorf("%+v", p)
		}
		if !strings.HasSuffix(p.URI, ".zip") && !strings.HasSuffix(p.URI, ".tar.gz") {
			t.Errorf("krew unpacks .zip and .tar.gz, not %s", p.URI)
		}
	}
}

var (
	usesLine = regexp.MustCompile(`(?m)^\s*-?\s*uses: (\S+)(.*)$`)
	pinned   = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
	module   = regexp.MustCompile(`go (?:run|install) (\S+@\S+)`)
	tag      = regexp.MustCompile(`@v\d+\.\d+\.\d+$`)
)

// A tag of an action can be moved, and with it what runs with our rights.
func TestWorkflowsPinWhatTheyRun(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root(t), ".github/workflows/*.yml"))
	if err != nil || len(files) < 2 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range usesLine.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(m[1]) || !strings.Contains(m[2], "# v") {
				t.Errorf("%s: %s is not pinned by its commit, with its version as a comment", filepath.Base(file), m[1])
			}
		}
		for _, m := range module.FindAllStringSubmatch(string(text), -1) {
			if !tag.MatchString(m[1]) {
				t.Errorf("%s: %s has no version", filepath.Base(file), m[1])
			}
		}
		if !strings.Contains(string(text), "\npermissions: {contents: read}\n") {
			t.Errorf("%s: the token may more than read unless a job asks for it", filepath.Base(file))
		}
	}
}
