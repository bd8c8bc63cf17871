package cluster_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// watched is an API server with one node, of which each watch is told to the test.
type watched struct {
	lists   int
	refuse  error
	watches chan opened
}

type opened struct {
	version string
	events  *watch.FakeWatcher
}

func (w *watched) List(context.Context, metav1.ListOptions) (*corev1.NodeList, error) {
	w.lists++
	return &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Node{*version("a", "1")}}, nil
}

func (w *watched) Watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	events := watch.NewFake()
	w.watches <- opened{o.ResourceVersion, events}
	return events, nil
}

func version(name, number string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: number}}
}

func names(t *testing.T, f *cluster.Followed) string {
	t.Helper()
	nodes, err := cluster.ListNodes(t.Context(), f, "", cluster.Targets{})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, n := range nodes {
		text += n.Name
		if n.Cordoned {
			text += "!"
		}
	}
	return text
}

func TestNodesAreFollowedByOneListAndOneWatch(t *testing.T) {
	t.Parallel() // it waits
	ctx, cancel := context.WithCancel(t.Context())
	api := &watched{watches: make(chan opened)}
	f, err := cluster.Follow(ctx, api, "")
	if err != nil {
		t.Fatal(err)
	}
	next := func(want string) {
		t.Helper()
		if err := f.Next(ctx, time.Minute); err != nil || names(t, f) != want {
			t.Fatalf("%q, %v, want %q", names(t, f), err, want)
		}
	}
	w := <-api.watches
	w.events.Add(version("b", "2"))
	next("ab")
	cordoned := version("b", "3")
	cordoned.Spec.Unschedulable = true
	w.events.Modify(cordoned)
	next("ab!")
	// A heartbeat changes nothing that a report says.
	heartbeat := cordoned.DeepCopy()
	heartbeat.ResourceVersion = "4"
	heartbeat.Status.Conditions = []corev1.NodeCondition{}
	w.events.Modify(heartbeat)
	w.events.Delete(version("a", "5"))
	next("b!")
	w.events.Stop() // as every watch does at some time
	if w = <-api.watches; w.version != "5" || api.lists != 1 {
		t.Errorf("the watch went on from version %s, after %d lists", w.version, api.lists)
	}
	w.events.Error(&metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired})
	next("a")
	w = <-api.watches
	if api.lists != 2 {
		t.Errorf("%d lists after the server has forgotten the place", api.lists)
	}
	cancel()
	w.events.Stop()
	if err := f.Next(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAWatchThatIsForbiddenEnds(t *testing.T) {
	api := &watched{refuse: apierrors.NewForbidden(corev1.Resource("nodes"), "", errors.New("no"))}
	f, err := cluster.Follow(t.Context(), api, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Next(t.Context(), time.Minute); !apierrors.IsForbidden(err) {
		t.Error(err)
	}
}
