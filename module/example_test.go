package module_test

import (
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// A module fits one kernel release and one architecture.
func ExampleInspect() {
	data := moduletest.KO{Kernel: "6.1.0-18-amd64", Version: "8.9.0"}.Bytes() // as os.ReadFile reads pf_ring.ko
	info, err := module.Inspect(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Name, info.Version, info.KernelRelease, info.Arch)
	fmt.Println(info.Check("6.1.0-18-amd64", "amd64", "pf_ring") == nil)
	fmt.Println(info.Check("6.1.0-20-amd64", "amd64", "pf_ring") == nil)
	// Output:
	// pf_ring 8.9.0 6.1.0-18-amd64 amd64
	// true
	// false
}

func ExampleSchemeOf() {
	scheme, found := module.SchemeOf("s3://my-bucket/pf-ring")
	fmt.Println(scheme.Form, found, scheme.Valid("s3://My_Bucket"))
	// Output: s3://BUCKET/PREFIX true false
}

func ExampleCompareVersions() {
	fmt.Println(module.CompareVersions("8.10.0", "8.9.0") > 0)
	// Output: true
}
