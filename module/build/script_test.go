package build

import (
	"os/exec"
	"strings"
	"testing"
)

func TestRecipesAreShellAsTheyStandAndAsOneCommand(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a POSIX shell")
	}
	check := func(name, script string) {
		t.Helper()
		cmd := exec.Command(sh, "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, script)
		}
	}
	for _, r := range Recipes() {
		check(r.Name, Script(r))
		check(r.Name+" as one command", strings.Join(oneCommand(Script(r)), " "))
	}
	check("custom", customScript())
}

// A Dockerfile's RUN is one line for the builder: what would end it early, or
// mean something else there, must not be in a recipe.
func TestADockerfileHasOneRunThatEndsWithDepmod(t *testing.T) {
	source, err := NewSource("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Recipes() {
		file := Dockerfile(r, source, "docker.io/library/busybox:1")
		_, run, ok := strings.Cut(file, "\nRUN ")
		run, rest, ok2 := strings.Cut(run, "\n\n")
		if !ok || !ok2 {
			t.Fatalf("%s:\n%s", r.Name, file)
		}
		lines := strings.Split(run, "\n")
		for i, line := range lines {
			if continued := strings.HasSuffix(line, `\`); continued != (i < len(lines)-1) {
				t.Errorf("%s: RUN breaks off or goes on at %q", r.Name, line)
			}
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				t.Errorf("%s: a builder takes %q for a comment", r.Name, line)
			}
		}
		if !strings.HasSuffix(run, `depmod -b /out "$K"`) || !strings.HasPrefix(rest, "FROM ${BASE}\nCOPY --from=build /out /opt\n") {
			t.Errorf("%s ends in\n%s\n%s", r.Name, run[max(0, len(run)-200):], rest)
		}
	}
}
