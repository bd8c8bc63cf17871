package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const codename = "bookworm"

// flavour is Debian's smallest kernel.
func (s Suite) flavour() string { return "cloud-" + s.arch() }

// arch is the kernel's architecture, as Go and Debian name it.
func (s Suite) arch() string {
	if s == StableArm64 {
		return "arm64"
	}
	return "amd64"
}

// apt runs apt-get and apt-cache with a state of its own, so that nothing on the
// system changes and no privilege is needed.
type apt struct{ options []string }

// newApt keeps its state in a folder. It takes from the same mirrors as the
// system does.
func newApt(suite Suite, dir string) (*apt, error) {
	sources, err := sourceLines(suite)
	if err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "sources.list")
	if err := os.MkdirAll(filepath.Join(dir, "lists", "partial"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(list, []byte(sources), 0o644); err != nil {
		return nil, err
	}
	a := &apt{}
	for _, o := range []string{
		"Dir::Etc::SourceList=" + list, "Dir::Etc::SourceParts=/dev/null", "Dir::State::Lists=" + filepath.Join(dir, "lists"),
		"Dir::Cache=" + dir, "APT::Sandbox::User=", "Acquire::Retries=3", "Acquire::Languages=none",
		// The programs that build for another architecture are this machine's.
		"APT::Architecture=amd64", "APT::Architectures::=amd64", "APT::Architectures::=" + suite.arch(),
	} {
		a.options = append(a.options, "-o", o)
	}
	_, err = a.run("", "apt-get", "update")
	return a, err
}

// sourceLines lists the suite's parts of the system's own archives.
func sourceLines(suite Suite) (string, error) {
	out, err := run(exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"))
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(out) {
		mirror, release, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case suite != Backports && strings.HasPrefix(release, codename) && !strings.HasSuffix(release, "-backports"):
			lines = append(lines, "deb "+mirror+" "+release+" main\n")
		case suite == Backports && release == codename:
			lines = append(lines, "deb "+mirror+" "+codename+"-backports main\n")
		}
	}
	if len(lines) == 0 {
		return "", fmt.Errorf("the system's apt configuration names no archive of %s", codename)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ""), nil
}

func (a *apt) run(dir, program string, args ...string) (string, error) {
	cmd := exec.Command(program, append(slices.Clone(a.options), args...)...)
	cmd.Dir = dir
	return run(cmd)
}

// depends lists the packages of the kernel's own source that one depends on.
func (a *apt) depends(pkg string) ([]string, error) {
	out, err := a.run("", "apt-cache", "depends", "--important", pkg)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(out) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		// One of another architecture has that behind its name, in brackets if it is
		// for any: this machine's own does as well.
		name, _, _ = strings.Cut(strings.Trim(name, "<>"), ":")
		if ok && (strings.HasPrefix(name, "linux-headers-") || strings.HasPrefix(name, "linux-kbuild-") || strings.HasPrefix(name, "linux-compiler-")) {
			list = append(list, name)
		}
	}
	return list, nil
}

// download unpacks the kernel and what it takes to build modules for it.
func download(suite Suite, dir string) error {
	state := filepath.Join(dir, "apt")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a, err := newApt(suite, state)
	if err != nil {
		return err
	}
	all, arch := "linux-headers-"+suite.flavour(), ":"+suite.arch()
	headers, err := a.depends(all + arch)
	if err != nil {
		return err
	}
	if len(headers) != 1 {
		return fmt.Errorf("%s depends on %q, not on one kernel's headers", all, headers)
	}
	release := strings.TrimPrefix(headers[0], "linux-headers-")
	packages, err := a.depends(headers[0] + arch)
	if err != nil {
		return err
	}
	if arch == ":arm64" {
		packages = slices.DeleteFunc(packages, func(p string) bool { return strings.HasPrefix(p, "linux-compiler-") })
	}
	packages = append(packages, headers[0]+arch, "linux-image-"+release+arch)
	if err := a.unpack(state, dir, packages); err != nil {
		return err
	}
	return relocate(filepath.Join(dir, "usr", "src", "linux-headers-"+release, "Makefile"), dir)
}

// unpack downloads packages and unpacks them into dir. It removes apt's state,
// which nothing needs after that.
func (a *apt) unpack(state, dir string, packages []string) error {
	if _, err := a.run(state, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(state, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := run(exec.Command("dpkg-deb", "-x", deb, dir)); err != nil {
			return err
		}
	}
	return os.RemoveAll(state)
}

// relocate makes the headers' Makefile include its common part from dir instead
// of the place where it would be installed.
func relocate(makefile, dir string) error {
	text, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	return os.WriteFile(makefile, []byte(strings.ReplaceAll(string(text), " /usr/src/", " "+dir+"/usr/src/")), 0o644)
}

// run returns the standard output; the error has all that was printed.
func run(cmd *exec.Cmd) (string, error) {
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%q: %w\n%s%s", cmd.Args, err, out, errors.String())
	}
	return string(out), nil
}
