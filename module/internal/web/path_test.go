package web

import "testing"

func TestEscapePathLeavesOnlyWhatTheSignatureLeaves(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b-c_d.e~f": "/a/b-c_d.e~f", "/6.1.0+deb": "/6.1.0%2Bdeb", "/a b@c=é": "/a%20b%40c%3D%C3%A9", "/%": "/%25",
	} {
		if got := EscapePath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
