package renderer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// markerName lists what an earlier run wrote, so that the next one may replace
// just that. stagePrefix begins the folder that is filled before anything is
// put in place; one that is left over is of a run that was killed.
const (
	markerName  = ".pfring-render.json"
	stagePrefix = ".pfring-render-tmp-"
)

// ForeignFilesError says that a folder holds files that no run of ours wrote, so
// nothing was changed.
type ForeignFilesError struct {
	Dir   string
	Files []string
}

func (e *ForeignFilesError) Error() string {
	shown := e.Files[:min(len(e.Files), 3)]
	more := ""
	if n := len(e.Files) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("folder %s holds files that pfring render did not write (%s%s), so it was not changed. Name an empty or a new folder",
		e.Dir, strings.Join(shown, ", "), more)
}

type marker struct {
	SchemaVersion int      `json:"schemaVersion"`
	Note          string   `json:"note"`
	Files         []string `json:"files"`
}

// WriteDir makes dir hold exactly files, and removes what an earlier call wrote
// there and is not among them. dir is created when it is not there. It refuses
// with a *ForeignFilesError to touch a folder that holds anything else.
//
// All files are written in full before the first one is put in place by a
// rename, so a full disk or a kill leaves the old files or the new ones whole.
func WriteDir(dir string, files []File) (err error) {
	ours, err := inspectDir(dir)
	if err != nil {
		return err
	}
	created := false
	if ours == nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot create folder %s: %w", dir, readfile.Cause(err))
		}
		created = true
	}
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return fmt.Errorf("cannot write to folder %s: %w", dir, readfile.Cause(err))
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(stage))
		if err != nil && created {
			// It fails when something is in it, and then it has to stay.
			_ = os.Remove(dir)
		}
	}()
	return replaceFiles(dir, stage, ours, files)
}

func replaceFiles(dir, stage string, old []string, files []File) error {
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name)
		if err := os.WriteFile(filepath.Join(stage, f.Name), f.Data, 0o644); err != nil {
			return fmt.Errorf("cannot write %s: %w", filepath.Join(dir, f.Name), readfile.Cause(err))
		}
	}
	// Killed from here on, the folder holds old and new files: both are listed.
	if err := writeMarker(dir, stage, append(slices.Clone(old), names...)); err != nil {
		return err
	}
	for _, n := range names {
		if err := os.Rename(filepath.Join(stage, n), filepath.Join(dir, n)); err != nil {
			return fmt.Errorf("cannot write %s: %w", filepath.Join(dir, n), readfile.Cause(err))
		}
	}
	for _, n := range old {
		if slices.Contains(names, n) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s, which is no longer rendered: %w", filepath.Join(dir, n), readfile.Cause(err))
		}
	}
	return writeMarker(dir, stage, names)
}

func writeMarker(dir, stage string, names []string) error {
	slices.Sort(names)
	m := marker{SchemaVersion: 1, Note: "Written by pfring render; it may replace or remove these files.", Files: slices.Compact(names)}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot list the manifests: %w", err)
	}
	tmp := filepath.Join(stage, markerName)
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(dir, markerName), readfile.Cause(err))
	}
	if err := os.Rename(tmp, filepath.Join(dir, markerName)); err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(dir, markerName), readfile.Cause(err))
	}
	return nil
}

// inspectDir returns the files of an earlier run that dir holds: nil when dir is
// not there, not nil when it is. It removes what a killed run left behind.
func inspectDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", dir, readfile.Cause(err))
	}
	listed, err := readMarker(dir)
	if err != nil {
		return nil, err
	}
	ours, foreign, left := []string{}, []string{}, []string{}
	for _, e := range entries {
		switch n := e.Name(); {
		case n == markerName && e.Type().IsRegular():
		case e.IsDir() && strings.HasPrefix(n, stagePrefix):
			left = append(left, n)
		case e.Type().IsRegular() && slices.Contains(listed, n):
			ours = append(ours, n)
		default:
			foreign = append(foreign, n)
		}
	}
	if len(foreign) > 0 {
		return nil, &ForeignFilesError{Dir: dir, Files: foreign}
	}
	for _, n := range left {
		if err := os.RemoveAll(filepath.Join(dir, n)); err != nil {
			return nil, fmt.Errorf("cannot remove what an earlier run left: %w", err)
		}
	}
	return ours, nil
}

func readMarker(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", dir, readfile.Cause(err))
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s was not written by pfring render (%w). Name an empty or a new folder", filepath.Join(dir, markerName), err)
	}
	return m.Files, nil
}
