// Package s3 runs a real server of the S3 protocol, in a process of its own and
// with access keys, for tests that fetch from one. Only tests import it.
package s3

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/child"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// The keys of the only account of each server.
const (
	AccessKey = "AKIDTEST"
	SecretKey = "a-secret-for-tests"
)

// Server is a running one. It refuses requests without the keys.
type Server struct {
	// Address is host and port on the loopback, without TLS.
	Address string
	// AccessKey and SecretKey are the constants.
	AccessKey, SecretKey string
	// Dir has a folder for each bucket, and in that a file for each object.
	Dir string
}

// Start starts a server without buckets. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs an S3 server: run without -short")
	}
	program, err := toolbin.S3Server()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{AccessKey: AccessKey, SecretKey: SecretKey, Dir: t.TempDir(), Address: freeAddress(t)}
	logFile, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--quiet", "--port", s.Address, "posix", "--nometa", s.Dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+s.AccessKey, "ROOT_SECRET_ACCESS_KEY="+s.SecretKey)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	ended, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = logFile.Close()
	})
	s.await(t, logFile.Name())
	return s
}

// Put makes a bucket, if it is not there, and objects in it.
func (s *Server) Put(t testing.TB, bucket string, objects map[string][]byte) {
	t.Helper()
	for name, data := range objects {
		path := filepath.Join(s.Dir, bucket, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until it answers, if only to refuse.
func (s *Server) await(t testing.TB, logFile string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + s.Address + "/")
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(logFile)
			t.Fatalf("the S3 server does not answer: %v\n%s", err, said)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
