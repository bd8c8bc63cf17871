package valuesschema_test

import (
	"fmt"
	"strings"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Each problem has its file, line and column, and what to write instead.
func ExampleDocument_Validate() {
	doc, err := valuesschema.Load(valuesschema.LoadOptions{
		Files: []string{"-"},
		Stdin: strings.NewReader("tap:\n  kernelModule:\n    mode: atuo\n"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range doc.Validate() {
		fmt.Println(p)
	}
	// Output:
	// stdin:3:5: error: tap.kernelModule.mode = "atuo": must be one of auto, kmm (not-one-of)
	//     did you mean auto?
}

func ExampleNearest() {
	fmt.Println(valuesschema.Nearest("kernelMapings", []string{"kernelMappings", "parameters"}))
	// Output: kernelMappings
}
