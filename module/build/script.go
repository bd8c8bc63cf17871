package build

import (
	"fmt"
	"strings"
)

// Script is the shell script that a Job runs, or a person on a build host: the
// same for both. It takes its settings from the environment, which the first
// lines of it list.
func Script(r Recipe) string {
	return text("begin") + text(r.Name) + text("build") + text("end")
}

// customScript is what a Job runs around a script of the user's own, which is in
// the environment as PFRING_SCRIPT.
func customScript() string { return text("begin") + text("custom") + text("end") }

func text(name string) string {
	data, err := recipes.ReadFile("recipes/" + name + ".sh")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return string(data)
}

// Dockerfile builds the module by a recipe and packs it as Kernel Module
// Management reads it: below /opt/lib/modules, with modprobe's index. base has
// /bin/sh, mkdir and cp. It keeps to what every builder knows.
func Dockerfile(r Recipe, s Source, base string) string {
	return fmt.Sprintf(`# PF_RING %s for one kernel of %s, as an image for Kernel Module Management.
#   docker build --build-arg KERNEL_FULL_VERSION="$(uname -r)" -t REGISTRY/pf-ring-module:"$(uname -r)" .
ARG BUILDER=%s
ARG BASE=%s
FROM ${BUILDER} AS build
ARG KERNEL_FULL_VERSION
ARG PFRING_SOURCE_URL=%s
ARG PFRING_SOURCE_SHA256=%s
ARG PFRING_SOURCE_TREE=%s
RUN PFRING_OUT=/out/lib/modules/$KERNEL_FULL_VERSION/pf_ring.ko; PFRING_WORK=/work; \
    %s; \
    depmod -b /out "$K"

FROM ${BASE}
COPY --from=build /out /opt
`, s.Version, r.Title, r.Image, base, s.URL, s.SHA256, s.Tree, strings.Join(oneCommand(Script(r)), " \\\n    "))
}

// oneCommand turns a script of recipes/ into lines that, joined, are a single
// command: what a Dockerfile's RUN takes.
func oneCommand(script string) []string {
	var lines []string
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		lines = append(lines, line)
	}
	for i, line := range lines[:len(lines)-1] {
		if !open(line) {
			lines[i] += ";"
		}
	}
	return lines
}

// open tells whether a statement goes on in the next line.
func open(line string) bool {
	for _, end := range []string{" {", "then", "do", "else", " in", ";;"} {
		if strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}
