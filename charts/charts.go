// Package charts carries the Helm chart inside the binary, so that pfring can
// render it without a copy on disk. It holds files only; reading them as a
// chart is package renderer's part, and nothing here may import Helm.
package charts

import (
	"embed"
	"io/fs"
)

// Name is the chart's name and the folder that holds it in FS.
const Name = "kubeshark-pfring"

// "all:" keeps the files whose names begin with a dot or an underscore, which
// are .helmignore and every template helper.
//
//go:embed all:kubeshark-pfring
var files embed.FS

// FS returns the embedded files; the chart's are below Name.
func FS() fs.FS { return files }
