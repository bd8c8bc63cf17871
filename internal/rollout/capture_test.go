package rollout

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

func TestWhatKubesharksWorkersCaptureWithIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		waits     bool
		want      string
	}{
		"another backend":        {[]string{"-packet-capture", "af_packet"}, false, "PF_RING is of no use to it and it need not wait"},
		"the default, no wait":   {[]string{"-packet-capture", "best"}, false, "does not wait for the module: pfring inject --live -n capture"},
		"the default, with wait": {[]string{"-packet-capture", "best"}, true, "; it waits for the module"},
		"an old worker":          {nil, true, "no capture backend"},
	} {
		ds := &appsv1.DaemonSet{}
		ds.Name, ds.Namespace = kubeshark.WorkerName, "capture"
		ds.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sniffer", Command: append([]string{"./worker"}, test.arguments...)}, {Name: "tracer", Command: []string{"./tracer"}}}
		if test.waits {
			ds.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: kubeshark.WaitContainer}}
		}
		if c := captureOf(ds); !strings.Contains(c.String(), test.want) || c.Waits != test.waits {
			t.Errorf("%s: %q", name, c)
		}
	}
}
