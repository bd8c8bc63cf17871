package renderer

import "testing"

// Helm keeps the manifests of a release in the cluster, where others may write.
func FuzzReadManifests(f *testing.F) {
	for _, text := range []string{"", "---\n", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# nothing\n", "a: b\n", "kind: [a]\n", "\t", "--- |\n a", "a: &a [*a]\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadManifests(text)
		if err != nil && list != nil {
			t.Errorf("%q: %v, %v", text, list, err)
		}
	})
}
