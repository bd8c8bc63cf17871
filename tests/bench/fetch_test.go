//go:build unix

package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/s3"
)

// bucket is a repository with one module of 2 MB, not compressed, on a real S3
// server, with the keys in a folder.
type bucket struct {
	*s3.Server
	*moduletest.Repository
	credentials string
}

func newBucket(b *testing.B, ko moduletest.KO, format string) *bucket {
	b.Helper()
	server := s3.Start(b)
	repository := moduletest.NewRepository(b).Add(ko, format).Sign()
	objects := map[string][]byte{}
	for path, data := range repository.Files {
		objects["pf-ring/"+path] = data
	}
	server.Put(b, "modules", objects)
	credentials := b.TempDir()
	moduletest.WriteFiles(b, credentials, map[string][]byte{"accessKeyID": []byte(server.AccessKey), "secretAccessKey": []byte(server.SecretKey)})
	return &bucket{server, repository, credentials}
}

// BenchmarkFetchAgainstCurl compares, as whole processes in turns, what the agent
// does with a source (index, signature, module, digests, ELF) with curl and
// sha256sum of the module alone.
func BenchmarkFetchAgainstCurl(b *testing.B) {
	for _, program := range []string{"curl", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skip("needs " + program + ": apt-get install curl coreutils")
		}
	}
	at := newBucket(b, moduletest.KO{Padding: 2 << 20}, module.FormatRaw)
	work := &bench{dir: b.TempDir(), home: b.TempDir()}
	program := filepath.Join(work.dir, "fetch")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./fetch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	ours := []string{program, "-url=s3://modules/pf-ring", "-endpoint=http://" + at.Address, "-credentials=" + at.credentials,
		"-key=" + at.PublicKey, "-kernel=" + moduletest.Kernel}
	file := filepath.Join(work.dir, "pf_ring.ko")
	theirs := []string{"/bin/sh", "-c", fmt.Sprintf("curl -sf -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' --aws-sigv4 aws:amz:us-east-1:s3 --user %s:%s -o %s http://%s/modules/pf-ring/%s && sha256sum %s",
		at.AccessKey, at.SecretKey, file, at.Address, at.Index.Modules[0].Path, file)}
	samples, err := work.alternate(rounds, ours, theirs)
	if err != nil {
		b.Fatal(err)
	}
	for i, who := range []string{"pfring", "curl+sha256sum"} {
		b.ReportMetric(samples[i].wall.Seconds()*1000, who+"-ms")
	}
	// What wait4 tells of a child begins with its parent's memory, which is large here.
	if out, err := exec.Command(ours[0], ours[1:]...).Output(); err != nil {
		b.Fatal(err)
	} else if kib, err := strconv.Atoi(strings.TrimSpace(string(out))); err == nil {
		b.ReportMetric(float64(kib)/1024, "pfring-MiB")
	}
	b.ReportMetric(ratio(samples[0].wall, samples[1].wall), "time-ratio")
	b.ReportMetric(float64(at.Index.Modules[0].Size)/(1<<20), "module-MiB")
}
