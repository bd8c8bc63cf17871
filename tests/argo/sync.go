package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/engine"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// order is what to synchronize, and how. An object is the application's by a
// label, as in Argo CD before 3.0.
type order struct {
	Kubeconfig, Namespace, Label, Application string
	Objects                                   []*unstructured.Unstructured
	Prune, Replace, Force                     bool
}

// synced is what happened to an object, in the order in which it was applied.
type synced struct{ Kind, Name, Status, Message, Phase string }

// synchronize has Argo CD's own engine apply, order and prune.
func synchronize(ctx context.Context, in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return fmt.Errorf("cannot read the order: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("cannot read the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	for _, object := range o.Objects {
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[o.Label] = o.Application
		object.SetLabels(labels)
	}
	ofUs := func(object *unstructured.Unstructured) bool { return object.GetLabels()[o.Label] == o.Application }
	clusterCache := cache.NewClusterCache(config, cache.SetNamespaces([]string{o.Namespace}), cache.SetClusterResources(true), cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (interface{}, bool) {
			return ofUs(object), ofUs(object)
		}))
	e := engine.NewEngine(config, clusterCache, engine.WithLogr(logr.Discard()))
	stop, err := e.Run()
	if err != nil {
		return fmt.Errorf("cannot read the cluster: %w", err)
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	results, err := e.Sync(ctx, o.Objects, func(r *cache.Resource) bool { ours, _ := r.Info.(bool); return ours }, "1", o.Namespace,
		sync.WithLogr(logr.Discard()), sync.WithOperationSettings(false, o.Prune, o.Force, false), sync.WithReplace(o.Replace))
	if err != nil {
		return fmt.Errorf("cannot synchronize: %w", err)
	}
	return json.NewEncoder(out).Encode(inOrder(results))
}

func inOrder(results []common.ResourceSyncResult) []synced {
	sort.SliceStable(results, func(i, j int) bool { return results[i].Order < results[j].Order })
	out := make([]synced, len(results))
	for i, r := range results {
		out[i] = synced{r.ResourceKey.Kind, r.ResourceKey.Name, string(r.Status), r.Message, string(r.SyncPhase)}
	}
	return out
}
