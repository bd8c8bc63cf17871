// Package docs holds the documentation, for `pfring explain`. It imports nothing
// of the project.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed *.md
var files embed.FS

// FS are the pages of this folder.
func FS() fs.FS { return files }
