package build_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// end is how a container ends, or why it never begins.
type end struct {
	exit    int32
	reason  string // Error, OOMKilled
	waiting *corev1.ContainerStateWaiting
	evicted string
}

// behavior runs the container of a pod. It returns when the container has
// ended, or when ctx has, because the pod is deleted.
type behavior func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end

// kubelet is one for all nodes: it runs pods as their node's behavior says and
// serves their logs to the API server, as a real one does.
type kubelet struct {
	client kubernetes.Interface
	server *httptest.Server

	mu        sync.Mutex
	behaviors map[string]behavior
	logs      map[string]*logBuffer
	cancel    map[types.UID]context.CancelFunc
	running   sync.WaitGroup
}

func newKubelet(ctx context.Context, client kubernetes.Interface) *kubelet {
	k := &kubelet{client: client, behaviors: map[string]behavior{}, logs: map[string]*logBuffer{}, cancel: map[types.UID]context.CancelFunc{}}
	k.server = httptest.NewTLSServer(http.HandlerFunc(k.serveLog))
	go k.loop(ctx)
	return k
}

// addNode makes a node that this kubelet serves.
func (k *kubelet) addNode(ctx context.Context, name, kernel, osImage string, b behavior) error {
	_, port, err := net.SplitHostPort(k.server.Listener.Addr().String())
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	k.behave(name, b)
	resources := corev1.ResourceList{"cpu": quantity("8"), "memory": quantity("16Gi"), "pods": quantity("50")}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			// By this alone the API server finds the way.
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(number)}},
			Conditions:      []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}},
			NodeInfo:        corev1.NodeSystemInfo{KernelVersion: kernel, Architecture: "amd64", OperatingSystem: "linux", OSImage: osImage},
		},
	}
	_, err = k.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	return err
}

// behave changes what a node does from now on.
func (k *kubelet) behave(name string, b behavior) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.behaviors[name] = b
}

// removeNode takes the node out again.
func (k *kubelet) removeNode(ctx context.Context, name string) error {
	return k.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
}

func (k *kubelet) loop(ctx context.Context) {
	seen := map[types.UID]bool{}
	for ctx.Err() == nil {
		pods, err := k.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=pfring-build"})
		if err == nil {
			for i := range pods.Items {
				k.look(ctx, &pods.Items[i], seen)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	k.running.Wait()
	k.server.Close()
}

func (k *kubelet) look(ctx context.Context, pod *corev1.Pod, seen map[types.UID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.behaviors[pod.Spec.NodeName]
	switch {
	case pod.Spec.NodeName == "" || b == nil:
	case pod.DeletionTimestamp != nil:
		if stop := k.cancel[pod.UID]; stop != nil {
			stop()
		}
		now := int64(0)
		_ = k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case !seen[pod.UID]:
		seen[pod.UID] = true
		own, stop := context.WithCancel(ctx)
		log := newLog()
		k.cancel[pod.UID], k.logs[pod.Namespace+"/"+pod.Name] = stop, log
		k.running.Go(func() { k.run(own, pod, b, log) })
	}
}

func (k *kubelet) run(ctx context.Context, pod *corev1.Pod, b behavior, log *logBuffer) {
	begun := metav1.Now()
	log.onFirstByte = sync.OnceFunc(func() {
		k.status(ctx, pod, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: begun}}, "")
	})
	e := b(ctx, pod, log)
	log.close()
	switch {
	case e.waiting != nil:
		k.status(ctx, pod, corev1.PodPending, corev1.ContainerState{Waiting: e.waiting}, "")
	case e.exit == 0 && e.evicted == "":
		k.status(ctx, pod, corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: begun, FinishedAt: metav1.Now()}}, "")
	default:
		state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: max(e.exit, 1), Reason: e.reason, StartedAt: begun, FinishedAt: metav1.Now()}}
		k.status(ctx, pod, corev1.PodFailed, state, e.evicted)
	}
}

func (k *kubelet) status(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase, state corev1.ContainerState, evicted string) {
	for ctx.Err() == nil {
		now, err := k.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID {
			return
		}
		if err == nil {
			now.Status.Phase = phase
			if evicted != "" {
				now.Status.Reason, now.Status.Message = "Evicted", evicted
			}
			c := pod.Spec.Containers[0]
			now.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: c.Name, Image: c.Image, State: state, ContainerID: "test://" + string(pod.UID)}}
			if _, err = k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{}); err == nil {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// serveLog answers GET /containerLogs/NAMESPACE/POD/CONTAINER?follow=true.
func (k *kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	k.mu.Lock()
	log := k.logs[parts[1]+"/"+parts[2]]
	k.mu.Unlock()
	if log == nil {
		http.Error(w, fmt.Sprintf("no container %q", parts), http.StatusNotFound)
		return
	}
	log.serve(w, r, r.URL.Query().Get("follow") == "true")
}

// logBuffer is a container's log, which grows while it is read.
type logBuffer struct {
	mu          sync.Mutex
	data        []byte
	closed      bool
	changed     chan struct{}
	onFirstByte func()
	// dropAt breaks the connection of the first reader after that many bytes.
	dropAt int
}

func newLog() *logBuffer { return &logBuffer{changed: make(chan struct{})} }

func (l *logBuffer) Write(p []byte) (int, error) {
	l.onFirstByte()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p...)
	l.wake()
	return len(p), nil
}

func (l *logBuffer) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *logBuffer) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

func (l *logBuffer) serve(w http.ResponseWriter, r *http.Request, follow bool) {
	at := 0
	for {
		l.mu.Lock()
		part, closed, changed, drop := l.data[at:], l.closed, l.changed, l.dropAt
		if drop > 0 && len(l.data) > drop {
			l.dropAt = 0
		}
		l.mu.Unlock()
		if drop > 0 && at+len(part) > drop {
			_, _ = w.Write(part[:max(drop-at, 0)])
			panic(http.ErrAbortHandler)
		}
		if _, err := w.Write(part); err != nil {
			return
		}
		at += len(part)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if closed || !follow {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
