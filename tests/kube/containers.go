package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

func initContainers(pod *corev1.Pod, at stage, exit corev1.ContainerStateTerminated) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for i, spec := range pod.Spec.InitContainers {
		if i < len(pod.Status.InitContainerStatuses) && succeeded(pod.Status.InitContainerStatuses[i]) {
			out = append(out, pod.Status.InitContainerStatuses[i])
			continue
		}
		status := containerStatus(pod, spec)
		switch at {
		case holding:
			status.State.Running = &corev1.ContainerStateRunning{StartedAt: exit.StartedAt}
		case crashing:
			status.RestartCount = 1
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container"}
			status.LastTerminationState.Terminated = &exit
		default:
			status.Ready = true
			status.State.Terminated = &exit
		}
		out = append(out, status)
	}
	return out
}

func mainContainers(pod *corev1.Pod, at stage, exit corev1.ContainerStateTerminated, ready bool) []corev1.ContainerStatus {
	out := make([]corev1.ContainerStatus, 0, len(pod.Spec.Containers))
	for _, spec := range pod.Spec.Containers {
		status := containerStatus(pod, spec)
		started := at == running
		status.Started = &started
		switch at {
		case running:
			status.Ready = ready
			status.State.Running = &corev1.ContainerStateRunning{StartedAt: exit.StartedAt}
		case ended:
			status.State.Terminated = &exit
		default:
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
		}
		out = append(out, status)
	}
	return out
}

func containerStatus(pod *corev1.Pod, spec corev1.Container) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: spec.Name, Image: spec.Image, ImageID: spec.Image,
		ContainerID: fmt.Sprintf("containerd://%s-%s", pod.UID, spec.Name),
	}
}
