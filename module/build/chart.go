package build

import (
	"fmt"
	"strings"
)

// Dockerfiles are the names by which the chart has Dockerfiles for KMM's builds,
// each with what a node calls the system that it was made for. Another version of
// that system takes the same Dockerfile with another BUILDER.
func Dockerfiles() map[string]string {
	return map[string]string{
		"debian":          "Debian GNU/Linux 12 (bookworm)",
		"ubuntu":          "Ubuntu 24.04 LTS",
		"rhel":            "Red Hat Enterprise Linux 9.4 (Plow)",
		"amazonlinux2":    "Amazon Linux 2",
		"amazonlinux2023": "Amazon Linux 2023",
	}
}

// InChart finds the chart's Dockerfile for what a node calls its system. builder
// is the image that its argument BUILDER must name, "" where the Dockerfile's own
// default is right.
func InChart(osImage string) (name, builder string, err error) {
	r, err := RecipeFor(osImage)
	if err != nil {
		return "", "", err
	}
	name = map[string]string{"el": "rhel", "amazon2": "amazonlinux2", "amazon2023": "amazonlinux2023", "debian": "debian"}[r.Name]
	if strings.HasPrefix(osImage, "Ubuntu") {
		name = "ubuntu"
	}
	if name == "" {
		return "", "", fmt.Errorf("the chart has no Dockerfile for %s: write one with pfring module build --print dockerfile, and name its ConfigMap in the mapping's build.dockerfileConfigMap", r.Title)
	}
	standard, err := RecipeFor(Dockerfiles()[name])
	if err != nil {
		return "", "", err
	}
	if r.Image != standard.Image {
		builder = r.Image
	}
	return name, builder, nil
}
