// Package licenses finds the licences of what programs of this repository are
// linked from, by asking the Go command and reading the module cache.
package licenses

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Programs are what is released.
var Programs = []string{"./cmd/pfring", "./cmd/pfring-agent", "./cmd/pfring-controller"}

// platforms are those that link different packages.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"}

// Module is one that is linked in.
type Module struct {
	// Path is "std" for Go's own library, whose version is that of the toolchain.
	Path, Version string
	// Licenses are SPDX identifiers, sorted.
	Licenses []string
	// Files are licences and notices: those of the module, and of folders in
	// it that are linked in and have their own.
	Files []File
}

// File is a licence or a notice.
type File struct{ Name, Text string }

type pkg struct {
	Dir    string
	Module *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// Of lists the modules that programs are linked from, on all platforms, sorted
// by path. root is this repository.
func Of(ctx context.Context, root string, programs ...string) ([]Module, error) {
	dirs := map[string]map[string]bool{}
	at := map[string]*Module{}
	roots := map[string]string{}
	for _, platform := range platforms {
		pkgs, err := list(ctx, root, platform, programs)
		if err != nil {
			return nil, err
		}
		for _, p := range pkgs {
			if p.Module == nil || p.Module.Main {
				continue
			}
			if at[p.Module.Path] == nil {
				at[p.Module.Path] = &Module{Path: p.Module.Path, Version: p.Module.Version}
				roots[p.Module.Path] = p.Module.Dir
				dirs[p.Module.Path] = map[string]bool{}
			}
			for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
				dirs[p.Module.Path][dir] = true
			}
		}
	}
	var out []Module
	for path, m := range at {
		if err := m.read(roots[path], slices.Sorted(maps.Keys(dirs[path]))); err != nil {
			return nil, err
		}
		out = append(out, *m)
	}
	std, err := standard(ctx)
	if err != nil {
		return nil, err
	}
	out = append(out, std)
	slices.SortFunc(out, func(a, b Module) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

func list(ctx context.Context, root, platform string, programs []string) ([]pkg, error) {
	system, arch, _ := strings.Cut(platform, "/")
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-json=Dir,Module"}, programs...)...) // #nosec G204 -- arguments of our own
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-tags=netgo,osusergo", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list packages: %w: %s", err, stderr.String())
	}
	var out []pkg
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot list packages: %w", err)
		}
		out = append(out, p)
	}
}

func standard(ctx context.Context) (Module, error) {
	text, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return Module{}, fmt.Errorf("cannot find Go: %w", err)
	}
	m := Module{Path: "std"}
	root := strings.TrimSpace(string(text))
	if err = m.read(root, []string{root}); err != nil {
		root = filepath.Dir(root) // as some distributions have it
		err = m.read(root, []string{root})
	}
	return m, err
}

var (
	fileName = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|copyright)([.-].*)?$`)
	notALaw  = regexp.MustCompile(`(?i)^notice|\.docs$|\.go$`)
)

func (m *Module) read(root string, dirs []string) error {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", m.Path, err)
		}
		for _, e := range entries {
			if e.IsDir() || !fileName.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return fmt.Errorf("cannot read the licence of %s: %w", m.Path, err)
			}
			name, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			m.Files = append(m.Files, File{filepath.ToSlash(name), strings.ReplaceAll(string(text), "\r\n", "\n")})
			if !notALaw.MatchString(e.Name()) {
				m.Licenses = append(m.Licenses, identify(string(text))...)
			}
		}
	}
	slices.Sort(m.Licenses)
	m.Licenses = slices.Compact(m.Licenses)
	if len(m.Licenses) == 0 {
		return fmt.Errorf("%s %s: unknown licence: read the module's licence, and add it to hack/internal/licenses", m.Path, m.Version)
	}
	return nil
}
