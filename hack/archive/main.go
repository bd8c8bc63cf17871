// Command archive packs folders for `make dist`; see hack/internal/archive.
//
//	SOURCE_DATE_EPOCH=… go run ./hack/archive DIR FILE.tar.gz|FILE.zip
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/archive"
	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: archive DIR FILE.tar.gz|FILE.zip")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func pack(dir, file string) error {
	at, err := sourcedate.Get(sourcedate.Epoch())
	if err != nil {
		return err
	}
	files, err := archive.Folder(dir)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := archive.Write(&out, file, files, at); err != nil {
		return err
	}
	return atomicfile.Replace(file, out.Bytes(), 0o644)
}
