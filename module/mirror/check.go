package mirror

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// An index tells which files there are and what they are called. It may be
// another's, and without a signature anybody's: what is not a kernel module, or
// not called as one, goes nowhere.

// checkPath tells whether a path of an index may become a file's name.
func checkPath(path string) error {
	hidden := func(part string) bool { return strings.HasPrefix(part, ".") }
	for part := range strings.SplitSeq(path, "/") {
		if hidden(part) {
			return fmt.Errorf("invalid path %q: %q is hidden", path, part)
		}
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return fmt.Errorf("invalid path %q: must have only printable characters without special meaning", path)
	}
	if !module.IsFileName(path) {
		return fmt.Errorf("invalid path %q: must end in .ko, .ko.gz, .ko.xz or .ko.zst", path)
	}
	return nil
}

// checkPaths holds all that was chosen against checkPath, and no path may stand
// for two files.
func checkPaths(entries []module.Entry) error {
	sums := map[string]string{}
	for _, e := range entries {
		err := checkPath(e.Path)
		if sum, twice := sums[e.Path]; err == nil && twice && sum != e.SHA256 {
			err = fmt.Errorf("%q refers to two different files", e.Path)
		}
		if err != nil {
			return fmt.Errorf("the index has a path that cannot be copied: %w", err)
		}
		sums[e.Path] = e.SHA256
	}
	return nil
}

// checkModule tells whether data is what the index says it is: the kernel module
// called name, for that kernel, architecture and version.
func checkModule(e module.Entry, name string, data []byte) error {
	ko, _, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return err
	}
	info, err := module.Inspect(ko)
	if err != nil {
		return err
	}
	if err := info.Check(e.KernelRelease, e.Arch, name); err != nil {
		return errors.Join(errors.New("it does not match the index"), err)
	}
	if info.Version != e.Version {
		return fmt.Errorf("it is version %q, the index says %q", info.Version, e.Version)
	}
	return nil
}
