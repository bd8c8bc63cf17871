package main

// row is one benchmark, and which of its figures are shown.
type row struct {
	// Name is what BENCH= takes.
	Name string
	// Package and Benchmark say what `go test -bench` runs, N times.
	Package, Benchmark string
	N                  int
	Figures            []figure
}

// figure is one metric of a benchmark, of one of its cases.
type figure struct {
	// Case is the name of the sub-benchmark, "" without one.
	Case   string
	Metric string
	// What it is, and of which rival.
	What, Rival string
	// Aim is the most that it may be.
	Aim float64
}

// floor is the least that is possible with Helm's library.
const floor = "the least program with Helm's engine"

// rows are in the order of docs/performance.md.
func rows() []row {
	return []row{
		{"start", "./tests/bench", "BenchmarkStart", 1, []figure{
			{"", "version-ms", "pfring version, minimum, ms", "", 9},
			{"", "floor-ratio", "pfring version, minimum", floor, 1.25},
		}},
		{"render", "./tests/bench", "BenchmarkRenderAgainstHelm", 1, []figure{
			{"", "time-ratio", "render, whole process, time", "helm template", 0.35},
			{"", "memory-ratio", "render, whole process, memory", "helm template", 0.65},
			{"", "floor-time-ratio", "render, whole process, time", floor, 1.25},
			{"", "floor-memory-ratio", "render, whole process, memory", floor, 1.25},
		}},
		{"validate", "./tests/bench", "BenchmarkValidateAgainstHelm", 1, []figure{
			{"", "time-ratio", "validate --each of 1,000 files, time", "helm lint × 1,000", 0.01},
			{"", "unknown-keys-s", "validate, 4 MiB with 100,000 unknown keys, s", "", 1},
		}},
		{"sizes", "./tests/bench", "BenchmarkSizes", 1, []figure{
			{"", "pfring-amd64-MB", "pfring, amd64, MB", "", 42},
			{"", "pfring-arm64-MB", "pfring, arm64, MB", "", 42},
			{"", "agent-amd64-MB", "pfring-agent, amd64, MB", "", 8},
			{"", "agent-arm64-MB", "pfring-agent, arm64, MB", "", 8},
		}},
		{"compatibility", "./tests/compatibility", "BenchmarkAgainstKubectl", 1, []figure{
			{"nodes=5000", "time-ratio", "compatibility, 5,000 nodes, time", "kubectl get nodes -o json", 1.0 / 15},
			{"nodes=5000", "memory-ratio", "compatibility, 5,000 nodes, memory", "kubectl get nodes -o json", 1.0 / 12},
			{"nodes=15000", "time-ratio", "compatibility, 15,000 nodes, time", "kubectl get nodes -o json", 1.0 / 15},
			{"nodes=15000", "pfring-MiB", "compatibility, 15,000 nodes, MiB", "", 150},
			{"nodes=500", "prereq-s", "prereq check --mode both, 500 nodes, s", "", 2},
		}},
		{"wait", "./tests/status", "BenchmarkWaitReacts", 1, []figure{
			{"", "watches", "status --wait, 5,000 nodes, watches", "", 1},
			{"", "relists", "status --wait, lists after the first", "", 0},
			{"", "ms/seen", "status --wait, a change is seen after, ms", "", 1000},
		}},
		{"controller", "./tests/supply", "BenchmarkScale", 1, []figure{
			{"", "anonymous-MiB", "controller, 5,000 nodes, 40 kernels, own memory, MiB", "", 64},
			{"", "peak-RSS-MiB", "controller, the most that was resident, with its program, MiB", "", 128},
			{"", "%CPU-rest", "controller, at rest, % of a core", "", 1},
			{"", "%CPU-churn", "controller, 100 nodes a minute come and go, % of a core", "", 5},
			{"", "writes/kernel", "controller, writes to the API server for each kernel built", "", 8},
			{"", "writes-churn", "controller, writes while nodes come and go", "", 10},
			{"", "lists-churn", "controller, lists after the first", "", 0},
		}},
		{"pack", "./tests/images", "BenchmarkPackAndPush", 1, []figure{
			{"", "×crane", "pack and push one module, time", "crane append", 0.9},
			{"", "CPU×crane", "pack and push one module, CPU", "crane append", 1},
		}},
		{"mirror", "./tests/images", "BenchmarkMirrorAgainstCrane", 1, []figure{
			{"", "×crane", "mirror 40 modules between registries, time", "crane copy × 40", 0.3},
		}},
		{"fetch", "./tests/bench", "BenchmarkFetchAgainstCurl", 1, []figure{
			{"", "time-ratio", "fetch and verify, time", "curl and sha256sum", 0.35},
		}},
		{"herd", "./tests/bench", "BenchmarkThousandAgents", 1, []figure{
			{"SlowDown_above_300_a_second", "last-s", "1,000 agents, 300 requests a second: last, s", "", 11},
			{"SlowDown_above_300_a_second", "requests/node", "1,000 agents: requests a node", "", 5},
			{"SlowDown_above_300_a_second", "KiB/node", "1,000 agents: KiB a node", "", 100},
		}},
		{"load", "./tests/vm", "BenchmarkLoad", 9, []figure{
			{"", "over-insmod-ms", "agent load beyond insmod, emulated, ms", "insmod", 10},
			{"", "agent-MiB", "agent load, resident, MiB", "", 12},
		}},
	}
}
