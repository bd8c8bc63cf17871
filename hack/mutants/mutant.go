package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// mutant is one change that a test should notice.
type mutant struct {
	// File is relative to the module's root.
	File string `json:"file"`
	// Old occurs exactly once in the file; New replaces it.
	Old string `json:"old"`
	New string `json:"new"`
	// Why says what the changed code is for.
	Why string `json:"why"`
}

func read(list string) ([]mutant, error) {
	data, err := os.ReadFile(list)
	if err != nil {
		return nil, fmt.Errorf("cannot read the list: %w", err)
	}
	var mutants []mutant
	if err := yaml.UnmarshalStrict(data, &mutants); err != nil {
		return nil, fmt.Errorf("cannot parse %s: %w", list, err)
	}
	for _, m := range mutants {
		if _, err := m.apply(); err != nil {
			return nil, err
		}
	}
	return mutants, nil
}

// apply returns the changed file.
func (m mutant) apply() ([]byte, error) {
	data, err := os.ReadFile(m.File)
	if err != nil {
		return nil, fmt.Errorf("cannot read a file of the list: %w", err)
	}
	if n := bytes.Count(data, []byte(m.Old)); n != 1 {
		return nil, fmt.Errorf("invalid change of %s: %q must occur once, it occurs %d times", m.File, m.Old, n)
	}
	return bytes.Replace(data, []byte(m.Old), []byte(m.New), 1), nil
}

// pkg is a package with the changes to make in it.
type pkg struct {
	dir     string
	mutants []mutant
}

// byPackage keeps the order of the list.
func byPackage(mutants []mutant, only string) []pkg {
	var all []pkg
	at := map[string]int{}
	for _, m := range mutants {
		dir := "./" + filepath.ToSlash(filepath.Dir(m.File))
		if only != "" && filepath.Clean(only) != filepath.Clean(dir) {
			continue
		}
		i, seen := at[dir]
		if !seen {
			i = len(all)
			at[dir] = i
			all = append(all, pkg{dir: dir})
		}
		all[i].mutants = append(all[i].mutants, m)
	}
	return all
}

// run makes the changes one after the other and returns how many were noticed.
func (p pkg) run(ctx context.Context, work string) (int, error) {
	if out, err := test(ctx, p.dir, ""); err != nil {
		return 0, fmt.Errorf("the tests of %s fail without any change:\n%s", p.dir, out)
	}
	killed := 0
	for _, m := range p.mutants {
		overlay, err := m.overlay(work)
		if err != nil {
			return 0, err
		}
		out, err := test(ctx, p.dir, overlay)
		var failed *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err == nil:
			fmt.Printf("SURVIVED %s: %s\n         %q\n      -> %q\n", m.File, m.Why, m.Old, m.New)
		case !errors.As(err, &failed):
			return 0, fmt.Errorf("cannot run the tests of %s: %w", p.dir, err)
		case strings.Contains(out, "[build failed]"):
			return 0, fmt.Errorf("%s does not compile with %q:\n%s", m.File, m.New, out)
		default:
			killed++
		}
	}
	return killed, nil
}

// overlay writes the changed file outside the tree, and the file that makes the compiler
// use it.
func (m mutant) overlay(work string) (string, error) {
	data, err := m.apply()
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.File)
	if err != nil {
		return "", fmt.Errorf("cannot find %s: %w", m.File, err)
	}
	changed := filepath.Join(work, "changed.go")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(work, "overlay.json")
	return overlay, errors.Join(os.WriteFile(changed, data, 0o600), os.WriteFile(overlay, text, 0o600))
}

// test runs a package's own tests. A change that makes them hang is noticed by
// their timeout.
func test(ctx context.Context, dir, overlay string) (string, error) {
	args := []string{"test", "-short", "-count=1", "-timeout=3m", "-failfast", "-vet=off"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, dir)...).CombinedOutput() // #nosec G204 -- a folder of this tree
	return string(out), err
}
