package kube

import (
	"fmt"
	"hash/fnv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// stage is how far a pod has come.
type stage int

const (
	holding  stage = iota // the init container runs
	crashing              // the init container fails again and again
	running               // the main container runs
	ended                 // a pod that is not restarted is over
)

// stageOf never takes a pod back: an init container that has succeeded does not run again.
func stageOf(pod *corev1.Pod, result Result) stage {
	once := pod.Spec.RestartPolicy == corev1.RestartPolicyNever
	inits := pod.Status.InitContainerStatuses
	switch {
	case len(inits) > 0 && succeeded(inits[0]) && !once:
		return running
	case result.Hold || result.Waiting != nil:
		return holding
	case once:
		return ended
	case result.ExitCode != 0:
		return crashing
	default:
		return running
	}
}

func succeeded(c corev1.ContainerStatus) bool {
	return c.State.Terminated != nil && c.State.Terminated.ExitCode == 0
}

// podStatus is the status that a kubelet would report. Times, once said, stay,
// so that the same result gives the same status.
func podStatus(pod *corev1.Pod, node *corev1.Node, result Result) (corev1.PodStatus, error) {
	status := *pod.Status.DeepCopy()
	if status.StartTime == nil {
		now := metav1.Now().Rfc3339Copy()
		status.StartTime = &now
	}
	status.HostIP = nodeAddress(node)
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	status.PodIP = podAddress(pod)
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}

	at := stageOf(pod, result)
	message, err := terminationMessage(node, result.Outcome, *status.StartTime)
	if err != nil {
		return status, err
	}
	exit := corev1.ContainerStateTerminated{ExitCode: result.ExitCode, Reason: "Completed", StartedAt: *status.StartTime, FinishedAt: *status.StartTime}
	if result.ExitCode != 0 {
		exit.Reason = "Error"
	}
	exit.Message = result.Message
	status.ContainerStatuses = mainContainers(pod, at, exit, !result.Unready)
	if result.Waiting != nil && len(pod.Spec.InitContainers) == 0 {
		status.ContainerStatuses[0].State.Waiting = result.Waiting
	}
	if result.Running && at == holding && len(pod.Spec.InitContainers) == 0 {
		status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: *status.StartTime}}
	}
	// The message belongs to the init container; without one nothing here loads a module.
	exit.Message = message
	status.InitContainerStatuses = initContainers(pod, at, exit)

	status.Phase = phases[at]
	if at == ended && result.ExitCode != 0 {
		status.Phase = corev1.PodFailed
	}
	if result.Running && at == holding {
		status.Phase = corev1.PodRunning
	}
	if result.Evicted != "" {
		status.Phase, status.Reason, status.Message = corev1.PodFailed, "Evicted", result.Evicted
		status.ContainerStatuses = nil
	}
	ready := at == running && !result.Unready
	setCondition(&status, corev1.PodReadyToStartContainers, true, "")
	setCondition(&status, corev1.PodInitialized, at >= running, "ContainersNotInitialized")
	setCondition(&status, corev1.ContainersReady, ready, "ContainersNotReady")
	setCondition(&status, corev1.PodReady, ready, "ContainersNotReady")
	return status, nil
}

var phases = [...]corev1.PodPhase{holding: corev1.PodPending, crashing: corev1.PodPending, running: corev1.PodRunning, ended: corev1.PodSucceeded}

// terminationMessage is the outcome's line, with the node's facts where it has none, or nothing for a pod without outcome.
func terminationMessage(node *corev1.Node, o outcome.Outcome, at metav1.Time) (string, error) {
	if o.Backend == "" {
		return "", nil
	}
	info := node.Status.NodeInfo
	for field, value := range map[*string]string{&o.Node: node.Name, &o.Kernel: info.KernelVersion, &o.Arch: info.Architecture, &o.BootID: info.BootID} {
		*field = orDefault(*field, value)
	}
	if o.Time.IsZero() {
		o.Time = at.Time
	}
	line, err := o.Encode()
	return strings.TrimSuffix(string(line), "\n"), err
}

// setCondition adds a condition or changes one in place; its time moves only with its status.
func setCondition(status *corev1.PodStatus, kind corev1.PodConditionType, ok bool, reason string) {
	condition := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now().Rfc3339Copy()}
	if !ok {
		condition.Status, condition.Reason = corev1.ConditionFalse, reason
	}
	for i, old := range status.Conditions {
		if old.Type != kind {
			continue
		}
		if old.Status != condition.Status {
			status.Conditions[i] = condition
		}
		return
	}
	status.Conditions = append(status.Conditions, condition)
}

func nodeAddress(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// podAddress is the same whenever it is asked for.
func podAddress(pod *corev1.Pod) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(pod.UID)) // never fails
	sum := hash.Sum32()
	return fmt.Sprintf("10.%d.%d.%d", byte(sum>>16), byte(sum>>8), 1+byte(sum)%250)
}
