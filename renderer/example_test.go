package renderer_test

import (
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// The same chart and values give the same manifests, without a cluster.
func ExampleRender() {
	chart, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := renderer.Render(chart, renderer.Options{
		ReleaseName: "pfring", Namespace: "kubeshark",
		Values: map[string]any{"tap": map[string]any{"kernelModule": map[string]any{
			"mode": "kmm", "kernelMappings": []any{map[string]any{"regexp": "^.+$", "containerImage": "registry.example.com/pf-ring:${KERNEL_FULL_VERSION}"}},
		}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range result.Resources {
		if r.Kind == "Module" || r.Kind == "DaemonSet" {
			fmt.Println(r.Kind, r.APIVersion)
		}
	}
	// Output:
	// DaemonSet apps/v1
	// Module kmm.sigs.x-k8s.io/v1beta1
}
