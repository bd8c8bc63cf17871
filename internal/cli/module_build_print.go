package cli

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// printable is what --print knows.
var printable = []string{"manifests", "script", "dockerfile"}

// printRecipe prints what builds for any kernel of one distribution.
func (f *buildFlags) printRecipe(cmd *cobra.Command) error {
	recipe, err := f.recipe(cmd)
	if err != nil {
		return err
	}
	s := f.settings.Source
	if f.printWhat == "dockerfile" {
		_, err = fmt.Fprint(cmd.OutOrStdout(), build.Dockerfile(recipe, s, image.DefaultBase))
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "#!/bin/sh\n: \"${KERNEL_FULL_VERSION:=$(uname -r)}\" \"${PFRING_OUT:=pf_ring.ko}\"\n: \"${PFRING_SOURCE_URL:=%s}\" \"${PFRING_SOURCE_SHA256:=%s}\" \"${PFRING_SOURCE_TREE:=%s}\"\n%s",
		s.URL, s.SHA256, s.Tree, build.Script(recipe))
	return err
}

// recipe is that of --os-image, else the one that all targets have in common.
func (f *buildFlags) recipe(cmd *cobra.Command) (build.Recipe, error) {
	var recipe build.Recipe
	if f.osImage != "" {
		recipe, err := build.RecipeFor(f.osImage)
		for i := 0; err == nil && i < len(f.kernels); i++ {
			_, err = build.RecipeForKernel(f.osImage, f.kernels[i])
		}
		if err != nil {
			return recipe, no(err)
		}
		return f.override(recipe), nil
	}
	targets, skipped, err := f.plan(cmd)
	if err != nil {
		return recipe, fmt.Errorf("%w. Or set the system of the nodes with --os-image", err)
	}
	if len(targets) == 0 && len(skipped) > 0 {
		return recipe, no(skipped[0].Err)
	}
	for i, t := range targets {
		if i > 0 && t.Recipe != recipe {
			return recipe, no(fmt.Errorf("the kernels require different builders, for %s and %s. Choose one with --kernel or --os-image", recipe.Title, t.Recipe.Title))
		}
		recipe = t.Recipe
	}
	if len(targets) == 0 {
		return recipe, no(errors.New("no kernel without a module found. Choose kernels with --kernel, --all or --os-image"))
	}
	return f.override(recipe), nil
}

func (f *buildFlags) override(r build.Recipe) build.Recipe {
	if f.settings.Image != "" {
		r.Image = f.settings.Image
	}
	return r
}

// printJobs prints the Jobs, whose logs --from-log reads.
func (f *buildFlags) printJobs(cmd *cobra.Command, targets []build.Target, skipped []build.Skipped) error {
	for _, s := range skipped {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s %s: no Job for it: %v\n", s.Kernel, s.Arch, s.Err); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	for i, t := range targets {
		job := f.settings.Job(t, "printed", build.DefaultMark, i)
		// Its log is to be read by a person, in that person's time.
		job.Spec.TTLSecondsAfterFinished = nil
		text, err := yaml.Marshal(job)
		if err != nil {
			return err
		}
		out.WriteString("---\n")
		out.Write(bytes.TrimSuffix(text, []byte("status: {}\n")))
	}
	if _, err := cmd.OutOrStdout().Write(out.Bytes()); err != nil {
		return err
	}
	if len(skipped) > 0 {
		return no(nil)
	}
	return nil
}
