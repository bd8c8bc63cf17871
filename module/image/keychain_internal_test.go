package image

import "testing"

// Logins of Docker Hub have the name that it had first, however it is named here.
func TestDockerHubIsAskedForByItsFirstName(t *testing.T) {
	for _, registry := range []string{"docker.io", "index.docker.io", "registry-1.docker.io"} {
		if got := (resource{registry, "library/x"}).String(); got != "index.docker.io/library/x" {
			t.Errorf("%s: %s", registry, got)
		}
	}
	if got := (resource{"r.example.com", "x"}).String(); got != "r.example.com/x" {
		t.Error(got)
	}
}
