package broken_test

import "testing"

func TestAHealthyClusterWithKMMHasNoFinding(t *testing.T) {
	whole(t)
	t.Run("kmm", func(t *testing.T) { healthy(t, attempt{mode: "kmm"}) })
	t.Run("both modes at once", func(t *testing.T) {
		healthy(t, attempt{mode: "kmm", args: []string{"--mode", "both"}, kernelModule: object{
			"source": object{"url": shared.source.url + "/good", "publicKeys": []any{shared.source.key}},
		}})
	})
}
