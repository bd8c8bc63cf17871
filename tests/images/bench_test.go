package images_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// rounds is how often each program runs; medians are shown.
const rounds = 9

// cost is what a run of a program took. CPU is its own and its children's time,
// which says more than the wall time where the machine has other things to do.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // bytes
}

func measured(b *testing.B, args ...string) cost {
	b.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	err := cmd.Start()
	var peak int64
	if err == nil {
		watch := make(chan int64)
		done := make(chan struct{})
		go func() { watch <- peakOf(cmd.Process.Pid, done) }()
		err = cmd.Wait()
		close(done)
		peak = <-watch
	}
	if err != nil {
		b.Fatalf("%s: %v\n%s", args[0], err, said.String())
	}
	return cost{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak}
}

// peakOf watches a process's highest memory, in bytes; 0 where the system does
// not show it. What wait4 tells would count this process's own, from before exec.
func peakOf(pid int, done <-chan struct{}) (peak int64) {
	for {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, rest, ok := strings.Cut(string(data), "VmHWM:"); ok && err == nil {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err == nil {
				peak = max(peak, kib<<10)
			}
		}
		select {
		case <-done:
			return peak
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// middle is the median of each.
func middle(list []cost) cost {
	slices.SortFunc(list, func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	wall := list[len(list)/2].wall
	slices.SortFunc(list, func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	return cost{wall: wall, cpu: list[len(list)/2].cpu}
}

// BenchmarkPackAndPush takes a module of 2 MB to an image in a local registry, on
// a base that is there: pfring, which indexes it too; crane append of a ready
// tarball that has the index; and buildah with depmod, base and storage warm. Each
// round is another image, so that all of it is uploaded.
func BenchmarkPackAndPush(b *testing.B) {
	host := distribution(b)
	dir := b.TempDir()
	pfringProgram, err := toolbin.Pfring(dir)
	if err != nil {
		b.Fatal(err)
	}
	crane, err := toolbin.Tool("github.com/google/go-containerregistry/cmd/crane")
	if err != nil {
		b.Fatal(err)
	}
	base := host + "/base:1"
	mustRun(b, "module", "pack", save(b, moduletest.KO{Kernel: "0.0.0"}), "-o", base, "--busybox", deb(b, "busybox-static", "amd64"))
	rivals := []string{"pfring", "crane"}
	image := newBuildah(b, dir, base)
	if image != nil {
		rivals = append(rivals, "buildah")
	}
	times := map[string][]cost{}
	for i := range rounds + 1 {
		ko := filepath.Join(b.TempDir(), "pf_ring.ko")
		if err := os.WriteFile(ko, append(moduletest.KO{Kernel: kernel, Padding: 2 << 20}.Bytes(), fmt.Sprint(i)...), 0o644); err != nil {
			b.Fatal(err)
		}
		layer := tarball(b, ko)
		for _, name := range rivals {
			ref := fmt.Sprintf("%s/%s-%d", host, name, i)
			var took cost
			switch name {
			case "pfring":
				took = measured(b, pfringProgram, "module", "pack", ko, "-o", ref, "--base", base)
			case "crane":
				took = measured(b, crane, "append", "-b", base, "-f", layer, "-t", ref+":"+kernel)
			case "buildah":
				took = measured(b, image(ko, ref+":"+kernel)...)
			}
			if i > 0 { // the first fills the file cache
				times[name] = append(times[name], took)
			}
		}
	}
	ours := middle(times["pfring"])
	b.ReportMetric(float64(ours.wall.Microseconds())/1000, "pfring-ms")
	for _, name := range rivals[1:] {
		theirs := middle(times[name])
		b.ReportMetric(float64(theirs.wall.Microseconds())/1000, name+"-ms")
		b.ReportMetric(float64(ours.wall)/float64(theirs.wall), "×"+name)
		b.ReportMetric(float64(ours.cpu)/float64(theirs.cpu), "CPU×"+name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMirrorAgainstCrane copies 40 modules between two registries: pfring at once,
// crane copy as images, one after the other. Each round is to a fresh repository.
func BenchmarkMirrorAgainstCrane(b *testing.B) {
	const modules, turns = 40, 5
	from, to := distribution(b), distribution(b)
	dir := b.TempDir()
	program, err := toolbin.Pfring(dir)
	if err != nil {
		b.Fatal(err)
	}
	crane, err := toolbin.Tool("github.com/google/go-containerregistry/cmd/crane")
	if err != nil {
		b.Fatal(err)
	}
	repository := moduletest.NewRepository(b)
	for n := range modules {
		repository.Add(moduletest.KO{Kernel: fmt.Sprintf("6.1.0-%d-amd64", n), Padding: 60_000 + n}, module.FormatZst)
	}
	folder := filepath.Join(dir, "repository")
	moduletest.WriteFiles(b, folder, repository.Sign().Files)
	mustRun(b, "module", "push", folder, "oci://"+from+"/repository")
	mustRun(b, "module", "pack", folder, "-o", from+"/images", "--base", "scratch")
	all := filepath.Join(dir, "copy.sh")
	if err := os.WriteFile(all, fmt.Appendf(nil, `set -e; n=0; while [ $n -lt %d ]; do %s copy %s/images:6.1.0-$n-amd64 %s/images-$1:6.1.0-$n-amd64 2>/dev/null; n=$((n+1)); done`, modules, crane, from, to), 0o600); err != nil {
		b.Fatal(err)
	}
	var ours, theirs []cost
	for i := range turns + 1 {
		one := measured(b, program, "module", "mirror", "oci://"+from+"/repository", fmt.Sprintf("oci://%s/repository-%d", to, i), "--public-key", repository.PublicKey)
		other := measured(b, "/bin/sh", all, fmt.Sprint(i))
		if i > 0 { // the first fills the file cache
			ours, theirs = append(ours, one), append(theirs, other)
		}
	}
	mine, rival := middle(ours), middle(theirs)
	b.ReportMetric(float64(mine.wall.Microseconds())/1000, "pfring-ms")
	b.ReportMetric(float64(rival.wall.Microseconds())/1000, "crane-ms")
	b.ReportMetric(float64(mine.wall)/float64(rival.wall), "×crane")
	b.ReportMetric(float64(mine.cpu)/float64(rival.cpu), "CPU×crane")
	b.ReportMetric(0, "ns/op")
}

// tarball is the layer that crane appends: the module with depmod's files.
func tarball(b *testing.B, ko string) string {
	b.Helper()
	root := b.TempDir()
	folder := filepath.Join(root, "opt/lib/modules", kernel)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(ko)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "pf_ring.ko"), data, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command(kmod(b, "depmod"), "-b", filepath.Join(root, "opt"), kernel).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(b.TempDir(), "layer.tar")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := tar.NewWriter(file)
	if err = w.AddFS(os.DirFS(root)); err == nil {
		err = w.Close()
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// newBuildah returns what makes and pushes an image with buildah, or nil where
// that is not installed.
func newBuildah(b *testing.B, dir, base string) func(ko, ref string) []string {
	b.Helper()
	program, err := exec.LookPath("buildah")
	if err != nil {
		b.Log("without buildah: apt-get install buildah, to compare with it")
		return nil
	}
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o644); err != nil {
		b.Fatal(err)
	}
	call := fmt.Sprintf("%s --root %s/storage --runroot %s/run --storage-driver vfs", program, dir, dir)
	script := filepath.Join(dir, "buildah.sh")
	text := fmt.Sprintf(`set -e
c=$(%[1]s from --signature-policy %[2]s --tls-verify=false --pull docker://%[3]s)
m=$(%[1]s mount "$c")
mkdir -p "$m/opt/lib/modules/%[4]s"
cp "$1" "$m/opt/lib/modules/%[4]s/pf_ring.ko"
%[5]s -b "$m/opt" %[4]s
%[1]s commit --signature-policy %[2]s --rm "$c" "$2"
%[1]s push --signature-policy %[2]s --tls-verify=false "$2" "docker://$2"
`, call, policy, base, kernel, kmod(b, "depmod"))
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	return func(ko, ref string) []string { return []string{"/bin/sh", script, ko, ref} }
}

// link hands out so many bytes a second, to all requests together.
type link struct {
	mu   sync.Mutex
	next time.Time
	rate float64
}

func (l *link) wait(n int) {
	l.mu.Lock()
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	until := l.next
	l.mu.Unlock()
	time.Sleep(time.Until(until))
}

// BenchmarkMirror copies repositories of 10 and of 100 modules of 1 MB over a
// link of 25 MB/s: the peak memory of both, and how much longer it takes than the
// link alone.
func BenchmarkMirror(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a while; run without -short")
	}
	program, err := toolbin.Pfring(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	const rate = 25e6
	for _, count := range []int{10, 100} {
		m := moduletest.NewRepository(b)
		ko := moduletest.KO{Padding: 1 << 20}
		for i := range count {
			ko.Kernel = fmt.Sprintf("6.1.0-%d-amd64", i)
			m.Add(ko, "raw")
		}
		m.Sign()
		total := 0
		for _, data := range m.Files {
			total += len(data)
		}
		l := &link{rate: rate}
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data := m.Files[strings.TrimPrefix(r.URL.Path, "/")]
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			for chunk := range slices.Chunk(data, 32<<10) {
				l.wait(len(chunk))
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}))
		defer web.Close()
		for _, kind := range []string{"folder", "tarball", "registry"} {
			to := filepath.Join(b.TempDir(), "copy")
			switch kind {
			case "tarball":
				to += ".tar"
			case "registry":
				to = "oci://" + distribution(b) + "/copy"
			}
			took := measured(b, program, "module", "mirror", web.URL, to, "--public-key", m.PublicKey)
			name := fmt.Sprintf("%s-%d", kind, count)
			b.ReportMetric(float64(took.peak)/(1<<20), name+"-MiB")
			b.ReportMetric(took.wall.Seconds()/(float64(total)/rate), name+"×link")
		}
	}
	b.ReportMetric(0, "ns/op")
}
