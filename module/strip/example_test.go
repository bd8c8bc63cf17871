package strip_test

import (
	"bytes"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// What nodes fetch is small, and still the same module.
func ExampleCompress() {
	ko := moduletest.KO{Kernel: "6.1.0-18-amd64"}.Bytes()
	small, err := strip.Compress(ko)
	if err != nil {
		fmt.Println(err)
		return
	}
	whole, format, err := module.Decompress(small, module.DefaultMaxSize)
	fmt.Println(format, bytes.Equal(whole, ko), err)
	// Output: zst true <nil>
}
