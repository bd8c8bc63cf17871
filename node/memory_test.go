package node

import "testing"

func TestTheMemoryLimitIsTheLeastOfTheGroupsAbove(t *testing.T) {
	for name, c := range map[string]struct {
		self  string
		files map[string]string
		want  int64
	}{
		"version 2 in a container": {"0::/\n", map[string]string{"memory.max": "67108864\n"}, 64 << 20},
		"version 2 on a host": {"0::/kubepods/pod1/c1\n", map[string]string{
			"kubepods/memory.max": "max\n", "kubepods/pod1/memory.max": "1000000\n", "kubepods/pod1/c1/memory.max": "2000000\n",
		}, 1_000_000},
		"version 1 in a container": {"5:cpu:/x\n4:memory:/kubepods/pod1/c1\n", map[string]string{"memory/memory.limit_in_bytes": "67108864\n"}, 64 << 20},
		"version 1 on a host":      {"4:memory:/a/b\n0::/\n", map[string]string{"memory/a/b/memory.limit_in_bytes": "5000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, 5000},
		"no limit, version 1":      {"4:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"no limit, version 2":      {"0::/\n", map[string]string{"memory.max": "max\n"}, 0},
		"both, only version 1":     {"4:memory:/\n0::/\n", map[string]string{"memory/memory.limit_in_bytes": "6000\n"}, 6000},
		"nothing":                  {"", nil, 0},
	} {
		m := newMachine(t)
		m.write("proc/self/cgroup", c.self)
		for path, text := range c.files {
			m.write("cgroup/"+path, text)
		}
		if got := m.host().memoryLimit(m.path("cgroup")); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
