package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// podServer serves pods: one list, and the watches of a script in turn.
type podServer struct {
	t       *testing.T
	lists   int
	from    []string
	watches [][]any
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/api/v1/namespaces/ns/pods" {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("watch") == "" {
		s.lists++
		_, _ = io.WriteString(w, fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"%d00"},"items":[]}`, s.lists))
		return
	}
	s.from = append(s.from, r.URL.Query().Get("resourceVersion"))
	if len(s.watches) == 0 {
		s.t.Error("a watch more than expected")
		return
	}
	for _, event := range s.watches[0] {
		_ = json.NewEncoder(w).Encode(event)
	}
	s.watches = s.watches[1:]
}

func podEvent(what, name, version string) any {
	return map[string]any{"type": what, "object": &corev1.Pod{
		TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "uid-1", ResourceVersion: version,
			Labels: map[string]string{labelName: chartName, labelInstance: "pfring", labelComponent: "agent"}},
	}}
}

func TestAWatchThatEndsGoesOnWhereItWas(t *testing.T) {
	expired := map[string]any{"type": "ERROR", "object": map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version",
	}}
	for name, c := range map[string]struct {
		watches [][]any
		from    []string
		lists   int
	}{
		"ended after an event":     {[][]any{{podEvent("MODIFIED", "a", "105")}, {podEvent("MODIFIED", "end", "109")}}, []string{"100", "105"}, 1},
		"ended after a bookmark":   {[][]any{{podEvent("BOOKMARK", "", "150")}, {podEvent("MODIFIED", "end", "151")}}, []string{"100", "150"}, 1},
		"ended without an event":   {[][]any{{}, {podEvent("MODIFIED", "end", "101")}}, []string{"100", "100"}, 1},
		"the version is forgotten": {[][]any{{podEvent("MODIFIED", "a", "105")}, {expired}, {podEvent("MODIFIED", "end", "209")}}, []string{"100", "105", "200"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &podServer{t: t, watches: c.watches}
			api := httptest.NewServer(server)
			defer api.Close()
			client, err := NewClient(&rest.Config{Host: api.URL})
			if err != nil {
				t.Fatal(err)
			}
			w := &waiter{client: client, facts: &facts{release: &Release{Name: "pfring", Namespace: "ns"}, pods: map[string]*corev1.Pod{}}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = w.until(ctx, func(*Report) bool {
				p := w.facts.pods["uid-1"]
				return p != nil && p.Name == "end"
			})
			if err != nil || server.lists != c.lists || !slices.Equal(server.from, c.from) {
				t.Errorf("%v: %d lists, watches from %v; want %d and %v", err, server.lists, server.from, c.lists, c.from)
			}
		})
	}
}
