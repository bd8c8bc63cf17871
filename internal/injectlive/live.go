// Package injectlive makes workers that are running wait for the module: what
// package inject adds to manifests, it adds to the objects of a cluster by
// server-side apply, as a field manager of its own. So the program that made them
// (Kubeshark's command, Helm) keeps its fields, and Remove takes back exactly ours.
package injectlive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubeshark/kubeshark-pfring/internal/inject"
	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// fieldManager owns what is added.
const fieldManager = "pfring-inject"

// Options say where and how.
type Options struct {
	// Inject says what to add, and by its Workload to what.
	Inject    inject.Options
	Namespace string
	// DryRun asks the API server without changing anything.
	DryRun bool
}

// States of a Change.
const (
	Added     = "waits for the module"
	Unchanged = "unchanged"
	Removed   = "no longer waits"
)

// Change is what happened to one object.
type Change struct {
	// Object is kind/name.
	Object, State string
	Warnings      []string
}

// ErrNotFound means that the namespace has no worker, or not the workload.
var ErrNotFound = errors.New("no worker DaemonSet of Kubeshark found")

// Apply adds the wait to the workers of the namespace, or to the workload.
func Apply(ctx context.Context, client dynamic.Interface, o Options) ([]Change, error) {
	return each(ctx, client, o, func(resource dynamic.ResourceInterface, object *unstructured.Unstructured) (Change, error) {
		object.SetManagedFields(nil)
		text, err := json.Marshal(object.Object)
		if err != nil {
			return Change{}, err
		}
		patch, err := inject.PatchFor(text, o.Inject)
		change := Change{State: Unchanged, Warnings: patch.Warnings}
		if err != nil || patch.Object == nil {
			return change, err
		}
		is, err := apply(ctx, resource, object, patch.Object, o.DryRun)
		if err == nil && is.GetGeneration() != object.GetGeneration() {
			change.State = Added
		}
		return change, err
	})
}

// Remove takes back what Apply added.
func Remove(ctx context.Context, client dynamic.Interface, o Options) ([]Change, error) {
	return each(ctx, client, o, func(resource dynamic.ResourceInterface, object *unstructured.Unstructured) (Change, error) {
		if !owns(object) {
			return Change{State: Unchanged}, nil
		}
		nothing := map[string]any{
			"apiVersion": object.GetAPIVersion(), "kind": object.GetKind(),
			"metadata": map[string]any{"name": object.GetName(), "namespace": object.GetNamespace()},
		}
		is, err := apply(ctx, resource, object, nothing, o.DryRun)
		change := Change{State: Removed}
		if err == nil && waits(is) {
			change.State = Unchanged
			change.Warnings = []string{"another owner has the wait in its manifests too, so it stays; render them without pfring inject, or with --remove"}
		}
		return change, err
	})
}

// waits tells whether the object's pods wait for the module.
func waits(object *unstructured.Unstructured) bool {
	list, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "initContainers")
	return slices.ContainsFunc(list, func(c any) bool {
		one, _ := c.(map[string]any)
		return one["name"] == kubeshark.WaitContainer
	})
}

// owns tells whether something of the object is ours.
func owns(object *unstructured.Unstructured) bool {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == fieldManager && entry.Operation == metav1.ManagedFieldsOperationApply {
			return true
		}
	}
	return false
}

// apply returns the object as it is with the patch.
func apply(ctx context.Context, resource dynamic.ResourceInterface, was *unstructured.Unstructured, patch map[string]any, dryRun bool) (*unstructured.Unstructured, error) {
	// What is ours by its name was added by an earlier run, perhaps through a file.
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return resource.Apply(ctx, was.GetName(), &unstructured.Unstructured{Object: patch}, options)
}

type edit func(dynamic.ResourceInterface, *unstructured.Unstructured) (Change, error)

func each(ctx context.Context, client dynamic.Interface, o Options, edit edit) ([]Change, error) {
	resource, objects, err := find(ctx, client, o)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for i := range objects {
		object := &objects[i]
		name := strings.ToLower(object.GetKind()) + "/" + object.GetName()
		change, err := edit(resource, object)
		if err != nil {
			return changes, fmt.Errorf("%s in namespace %s: %w", name, o.Namespace, err)
		}
		change.Object = name
		changes = append(changes, change)
	}
	return changes, nil
}

// find returns the objects to edit.
func find(ctx context.Context, client dynamic.Interface, o Options) (dynamic.ResourceInterface, []unstructured.Unstructured, error) {
	resource := func(name string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: name}).Namespace(o.Namespace)
	}
	if o.Inject.Workload != "" {
		kind, name, err := inject.ParseWorkload(o.Inject.Workload)
		if err != nil {
			return nil, nil, err
		}
		of := resource(strings.ToLower(kind) + "s")
		object, err := of.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil, fmt.Errorf("%s not found in namespace %s", strings.ToLower(kind)+"/"+name, o.Namespace)
		}
		if err != nil {
			return nil, nil, err
		}
		return of, []unstructured.Unstructured{*object}, nil
	}
	of := resource("daemonsets")
	list, err := of.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	var workers []unstructured.Unstructured
	for _, object := range list.Items {
		// Of a list, items lack what they are.
		object.SetAPIVersion("apps/v1")
		object.SetKind("DaemonSet")
		if kubeshark.IsWorker(object.GetName(), object.GetLabels()) {
			workers = append(workers, object)
		}
	}
	if len(workers) == 0 {
		return nil, nil, fmt.Errorf("%w in namespace %s. Name another one with --namespace, or the object with --workload", ErrNotFound, o.Namespace)
	}
	return of, workers, nil
}
