package outcome_test

import (
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A pod's termination message or log has the outcome as one line among others.
func ExampleParse() {
	text := `starting
{"schemaVersion":1,"node":"worker-1","backend":"libpcap","reason":"no-module-for-kernel","message":"the index has none"}
`
	o, err := outcome.Parse([]byte(text))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Node, o.Backend, o.Reason, o.Reason.Good())
	// Output: worker-1 libpcap no-module-for-kernel false
}
