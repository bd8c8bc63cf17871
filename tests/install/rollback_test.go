package install_test

import (
	"os"
	"os/exec"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// rollsBack is how each major of helm is told to take back what has failed.
var rollsBack = map[string]string{"3": "--atomic", "4": "--rollback-on-failure"}

// mustFail runs helm, which has to end with an error.
func (h *helmCLI) mustFail(args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.ctx, h.program, append(args, "-n", h.namespace)...)
	cmd.Env = append(os.Environ(), h.env...)
	if out, err := cmd.CombinedOutput(); err == nil {
		h.t.Errorf("helm %q succeeds:\n%s", args, out)
	}
}

// isController tells the supply controller's pod from the agents'.
func isController(pod *corev1.Pod) bool { return pod.Labels["app.kubernetes.io/component"] != "agent" }

// Of an installation nothing is left, and of an upgrade what was there before: whether agents fail, or the controller never starts.
func TestHelm3And4TakeBackWhatHasFailed(t *testing.T) {
	for version, build := range helms() {
		t.Run(version, func(t *testing.T) {
			h := newHelmCLI(t, build)
			flags := []string{rollsBack[version], "--wait", "--timeout", "12s"}
			source := map[string]any{"url": "https://modules.example.com", "verify": "none"}
			fails := h.valuesFile(h.values("auto", map[string]any{"source": source, "onUnavailable": "fail"}))
			supplied := h.valuesFile(h.values("auto", nil))
			kmm := h.valuesFile(h.values("kmm", map[string]any{"onUnavailable": "fail"}))
			agentsFail := func(*corev1.Pod, *corev1.Node) kube.Result { return kube.Failed(outcome.SourceUnreachable) }
			noController := func(pod *corev1.Pod, _ *corev1.Node) kube.Result {
				if isController(pod) {
					return kube.Held()
				}
				return kube.Loaded()
			}
			for values, pods := range map[string]kube.Handler{fails: agentsFail, kmm: agentsFail, supplied: noController} {
				h.say(pods)
				h.mustFail(append([]string{"install", "pfring", h.chart, "-f", values}, flags...)...)
				h.nothingIsLeft()
			}

			h.sayAll(kube.Loaded())
			h.run("install", "pfring", h.chart, "-f", h.valuesFile(h.values("auto", map[string]any{"source": source})), "--wait", "--timeout", "1m")
			for values, pods := range map[string]kube.Handler{fails: failing(agentsFail), kmm: failing(agentsFail), supplied: noController} {
				h.say(pods)
				h.mustFail(append([]string{"upgrade", "pfring", h.chart, "-f", values}, flags...)...)
				h.sayAll(kube.Loaded())
				h.waitForPods("pfring", "the agents of before", 2, readyAfter(modes["auto"]))
				h.isIn("auto", 2)
				if got := h.controllers(); got != 0 {
					t.Errorf("after a failed upgrade with %s: %d controllers", values, got)
				}
			}
			h.run("uninstall", "pfring", "--wait", "--timeout", "1m")
			h.nothingIsLeft()
		})
	}
}

// failing lets the pods of the release before go on, so that the rollback has something to wait for.
func failing(handler kube.Handler) kube.Handler {
	return func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		for _, env := range pod.Spec.InitContainers[0].Env {
			if env.Name == "PFRING_ON_UNAVAILABLE" && env.Value == "fail" {
				return handler(pod, node)
			}
		}
		return kube.Loaded()
	}
}
