package kubeshark

import (
	"slices"
	"strings"
)

// WorkerName is what Kubeshark's chart calls its DaemonSet.
const WorkerName = "kubeshark-worker-daemon-set"

// WaitContainer is the init container by which pfring inject makes a pod wait for the
// module.
const WaitContainer = "pfring-wait"

// WorkerLabels mark the workers, with the value "worker"; the prefix changed with
// 52.10 and 52.12.
func WorkerLabels() []string {
	return []string{"app.kubeshark.co/app", "app.kubehq.com/app", "app.kubeshark.com/app"}
}

// IsWorker tells whether a DaemonSet is Kubeshark's worker, by its name and labels.
func IsWorker(name string, labels map[string]string) bool {
	return name == WorkerName || slices.ContainsFunc(WorkerLabels(), func(key string) bool { return labels[key] == "worker" })
}

// PacketCapture is the capture backend that a worker's command and arguments tell
// it; "" if they tell none.
func PacketCapture(arguments []string) string {
	for i, argument := range arguments {
		if value, ok := strings.CutPrefix(argument, captureFlag+"="); ok {
			return value
		}
		if argument == captureFlag && i+1 < len(arguments) {
			return arguments[i+1]
		}
	}
	return ""
}
