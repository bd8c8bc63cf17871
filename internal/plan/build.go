package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// pushSecret is the Secret that a plan asks for where the values name none.
const pushSecret = "pf-ring-push" // #nosec G101 -- the Secret's name

// build is a mapping's build in values, or nil where KMM cannot build for k. The
// chart's Dockerfiles fetch compiler, headers and source from outside; those of a
// ConfigMap of the user's own need not.
func (d *decision) build(k kernel) map[string]any {
	if d.BuildConfigMap != "" {
		return map[string]any{"dockerfileConfigMap": map[string]any{"name": d.BuildConfigMap}}
	}
	if d.NoEgress || d.ImageRepository == PublicImages || k.takes() == 0 {
		return nil
	}
	name, builder, err := build.InChart(k.system)
	if err != nil {
		return nil
	}
	if _, err := build.RecipeForKernel(k.system, k.release); err != nil {
		return nil
	}
	build := map[string]any{"dockerfile": name}
	if builder != "" {
		build["buildArgs"] = []any{map[string]any{"name": "BUILDER", "value": builder}}
	}
	return build
}

// builds is the build of each kernel that KMM builds for, by the name that a
// mapping has for it.
func (d *decision) builds() map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, k := range d.kernels {
		if build := d.build(k); build != nil {
			out[literal(k.release)] = build
		}
	}
	return out
}

func (d *decision) stepBuild() {
	if d.BuildConfigMap != "" {
		d.first(Step{
			What: "Create the ConfigMap with the Dockerfile",
			Command: fmt.Sprintf("kubectl create configmap %s -n %s --from-file=dockerfile=Dockerfile",
				d.BuildConfigMap, cmp.Or(d.Namespace, "kubeshark")),
		})
	}
	if d.ImageRepoSecret == "" {
		host, _, _ := strings.Cut(d.ImageRepository, "/")
		d.first(Step{
			What: "Create a Secret with a login that can push to " + d.ImageRepository,
			Command: fmt.Sprintf("kubectl create secret docker-registry %s -n %s --docker-server=%s --docker-username=USER --docker-password=PASSWORD",
				pushSecret, cmp.Or(d.Namespace, "kubeshark"), host),
		})
	}
}

// noteBuild says whose Dockerfiles nobody has run yet.
func (d *decision) noteBuild() {
	if d.plan.Way != KMMBuild || d.BuildConfigMap != "" {
		return
	}
	var untried []string
	archs := map[string]string{}
	for _, k := range d.kernels {
		if d.build(k) == nil {
			continue
		}
		if other, twice := archs[k.release]; twice && other != k.arch {
			d.note("Kernel %s runs on %s and %s, and KMM builds an image only for the first one it sees: pack the image with pfring module pack instead.", k.release, other, k.arch)
		}
		archs[k.release] = k.arch
		recipe, err := build.RecipeFor(k.system)
		if err == nil && !recipe.Proven && !slices.Contains(untried, recipe.Title) {
			untried = append(untried, recipe.Title)
		}
	}
	if len(untried) > 0 {
		d.note("The chart's Dockerfile for %s is untested: check the log of KMM's build pod.", some(untried))
	}
	d.note("Where Secure Boot is on, built modules must be signed: set tap.kernelModule.kmm.sign.")
}
