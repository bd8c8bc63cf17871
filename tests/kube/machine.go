package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Machine is what lies below a simulated node when a container of it runs for
// real: files in the shape of /proc, /sys and the host's /sys, by their path
// below one folder, such as "proc/modules".
type Machine map[string]string

// HealthyMachine is one whose kernel takes any module.
func HealthyMachine(kernel string) Machine {
	return Machine{
		"proc/modules": "", "proc/self/status": "CapEff:\t0000000000000000\nSeccomp:\t2\n",
		"proc/sys/kernel/osrelease": kernel + "\n", "proc/sys/kernel/random/boot_id": "00000000-0000-4000-8000-000000000001\n",
		"proc/sys/kernel/modules_disabled": "0\n", "sys/module/module/parameters/sig_enforce": "N\n",
		"hostsys/kernel/security/lockdown": "[none] integrity confidentiality\n", "hostsys/firmware/acpi/x": "",
	}
}

// With returns the machine with some files changed, and those gone whose text
// is "-".
func (m Machine) With(changes Machine) Machine {
	all := maps.Clone(m)
	for name, text := range changes {
		if all[name] = text; text == "-" {
			delete(all, name)
		}
	}
	return all
}

// Execute runs the program of a pod's only container as a process on this
// machine: with its arguments and environment, its Secrets and ConfigMaps as
// files, and machine in the place of the kernel's folders. What the pod may not
// do for its securityContext is not enforced, and its network is loopback.
func (c *Cluster) Execute(ctx context.Context, program string, pod *corev1.Pod, node *corev1.Node, machine Machine) Result {
	dir, err := os.MkdirTemp(c.dir, "pod-")
	if err != nil {
		return notStarted(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := writeFiles(dir, machine); err != nil {
		return notStarted(err)
	}
	mounts, err := c.mount(ctx, dir, pod)
	if err != nil {
		return notStarted(err)
	}
	container := pod.Spec.Containers[0]
	message := filepath.Join(dir, "termination-log")
	cmd := exec.CommandContext(ctx, program, container.Args...) // #nosec G204 -- the agent of this checkout
	cmd.Env = []string{
		"PFRING_TERMINATION_LOG=" + message, "PFRING_PROC=" + filepath.Join(dir, "proc"), "PFRING_SYS=" + filepath.Join(dir, "sys"),
		"PFRING_HOST_SYS=" + orDefault(mounts["/host/sys"], filepath.Join(dir, "nowhere")),
	}
	for _, e := range container.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = node.Name // the chart refers to nothing else
		}
		cmd.Env = append(cmd.Env, e.Name+"="+mounts.here(value))
	}
	out, err := cmd.CombinedOutput()
	result := Result{}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		result.ExitCode = int32(exit.ExitCode()) // #nosec G115 -- at most 255
	} else if err != nil {
		return notStarted(err)
	}
	text, err := os.ReadFile(message)
	if err != nil {
		text = out // as with FallbackToLogsOnError
	}
	result.Message = string(text[:min(len(text), outcome.MaxProbeSize)])
	return result
}

func notStarted(err error) Result {
	return Result{Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: err.Error()}}
}

// mounts are where the paths in a container lie on this machine.
type mounts map[string]string

// here turns a path in the container, or a URL of one, into that on this machine.
func (m mounts) here(value string) string {
	path, isURL := strings.CutPrefix(value, "file://")
	for _, at := range slices.Sorted(maps.Keys(m)) {
		rest, below := strings.CutPrefix(path, at)
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		if isURL {
			return "file://" + m[at] + rest
		}
		return m[at] + rest
	}
	return value
}

// mount writes the pod's volumes below dir.
func (c *Cluster) mount(ctx context.Context, dir string, pod *corev1.Pod) (mounts, error) {
	at := mounts{}
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			return nil, fmt.Errorf("there is no volume %s", m.Name)
		}
		v := pod.Spec.Volumes[i]
		if v.HostPath != nil {
			at[m.MountPath] = v.HostPath.Path
			if v.HostPath.Path == "/sys" {
				at[m.MountPath] = filepath.Join(dir, "hostsys")
			}
			continue
		}
		files, err := c.volume(ctx, pod.Namespace, v)
		if err != nil {
			return nil, err
		}
		at[m.MountPath] = filepath.Join(dir, "volumes", v.Name)
		if err := writeFiles(at[m.MountPath], files); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// volume reads a Secret or ConfigMap.
func (c *Cluster) volume(ctx context.Context, namespace string, v corev1.Volume) (Machine, error) {
	files := Machine{}
	switch {
	case v.Secret != nil:
		secret, err := c.Client.CoreV1().Secrets(namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for key, value := range secret.Data {
			files[key] = string(value)
		}
	case v.ConfigMap != nil:
		config, err := c.Client.CoreV1().ConfigMaps(namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) && v.ConfigMap.Optional != nil && *v.ConfigMap.Optional {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(files, config.Data)
	default:
		return nil, fmt.Errorf("volume %s is of a kind that is not simulated", v.Name)
	}
	return files, nil
}

func writeFiles(dir string, files Machine) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
