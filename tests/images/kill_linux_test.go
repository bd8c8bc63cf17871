package images_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// watched tells of changes in folders, one event each.
type watched struct{ fd int }

func watch(t *testing.T, folders ...string) *watched {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Skipf("changes of folders cannot be watched here: %v", err)
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				_, err = unix.InotifyAddWatch(fd, path, unix.IN_CREATE|unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_DELETE)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return &watched{fd}
}

// event waits for the next one; false when there is none before ended is closed.
func (w *watched) event(ended <-chan struct{}) bool {
	buf := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
	for {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, 20)
		if err == nil && ready > 0 {
			_, err = unix.Read(w.fd, buf)
			return err == nil
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
}

// killAt runs a command and kills it by SIGKILL at its n-th change of a folder. It
// returns whether the command was so far.
func killAt(t *testing.T, n int, folder, program string, args ...string) (killed bool) {
	t.Helper()
	w := watch(t, folder)
	defer unix.Close(w.fd)
	cmd := exec.Command(program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(ended)
	}()
	for range n {
		if !w.event(ended) {
			<-ended
			if !cmd.ProcessState.Success() {
				t.Fatalf("%q: %v\n%s", cmd.Args, cmd.ProcessState, &said)
			}
			return false
		}
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended
	return true
}

// leftovers are files that only a run that did not end leaves.
func leftovers(t *testing.T, folder string) (left []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if name := d.Name(); err == nil && path != folder && (strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part")) {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// Whenever a writer is killed, what it was to write is there as it was or as it
// shall be, and the next run completes it and leaves nothing else.
func TestAKilledWriterLeavesNothingThatTheNextRunDoesNotMend(t *testing.T) {
	program, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	old, key := signedRepository(t)
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: "6.1.0-20", Padding: 200_000}, "zst").Add(moduletest.KO{Kernel: "6.1.0-21"}, "zst").Sign()
	newer := t.TempDir()
	r.Write(newer)
	serves := func(t *testing.T, url, key string, kernels ...string) {
		t.Helper()
		for _, k := range kernels {
			if err := get(t, url, key, k, "amd64"); err != nil {
				t.Errorf("%s: %v", k, err)
			}
		}
	}
	for name, c := range map[string]struct {
		// begin fills the folder; args are of the command that is killed.
		begin func(t *testing.T, dir string)
		args  func(dir string) []string
		check func(t *testing.T, dir string)
	}{
		"index": {
			func(t *testing.T, dir string) {
				moduletest.WriteFiles(t, dir, map[string][]byte{"a/pf_ring.ko": moduletest.KO{Kernel: "6.1.0-1", Padding: 90_000}.Bytes(), "b/pf_ring.ko": moduletest.KO{Kernel: "6.1.0-2"}.Bytes()})
			},
			func(dir string) []string { return []string{"module", "index", dir, "--compress", "--strip"} },
			func(t *testing.T, dir string) {
				data, err := os.ReadFile(filepath.Join(dir, module.IndexName))
				if err != nil {
					t.Fatal(err)
				}
				var index module.Index
				if err := json.Unmarshal(data, &index); err != nil || len(index.Modules) != 2 {
					t.Fatalf("%v %s", err, data)
				}
				for _, e := range index.Modules {
					if !strings.HasSuffix(e.Path, ".zst") {
						t.Errorf("%s is not compressed", e.Path)
					}
				}
			},
		},
		"mirror to a folder": {
			func(t *testing.T, dir string) { mustRun(t, "module", "mirror", old, dir, "--public-key", key) },
			func(dir string) []string {
				return []string{"module", "mirror", newer, dir, "--public-key", r.PublicKey}
			},
			func(t *testing.T, dir string) { serves(t, "file://"+dir, r.PublicKey, "6.1.0-20", "6.1.0-21") },
		},
		"mirror to a tarball": {
			func(t *testing.T, dir string) {
				mustRun(t, "module", "mirror", old, dir+"/r.tar", "--public-key", key)
			},
			func(dir string) []string {
				return []string{"module", "mirror", newer, dir + "/r.tar", "--public-key", r.PublicKey}
			},
			func(t *testing.T, dir string) {
				copied := t.TempDir()
				mustRun(t, "module", "mirror", dir+"/r.tar", copied, "--public-key", r.PublicKey)
				serves(t, "file://"+copied, r.PublicKey, "6.1.0-20", "6.1.0-21")
			},
		},
		"pack to a layout": {
			func(t *testing.T, dir string) {
				mustRun(t, "module", "pack", save(t, little), "-o", "oci:"+dir+"/layout", "--base", "scratch")
			},
			func(dir string) []string {
				return []string{"module", "pack", filepath.Join(newer, r.Index.Modules[0].Path), "-o", "oci:" + dir + "/layout", "--base", "scratch"}
			},
			func(*testing.T, string) {},
		},
		"pack to a tarball": {
			func(t *testing.T, dir string) {
				mustRun(t, "module", "pack", save(t, little), "-o", "docker-archive:"+dir+"/image.tar", "--base", "scratch")
			},
			func(dir string) []string {
				return []string{"module", "pack", filepath.Join(newer, r.Index.Modules[0].Path), "-o", "docker-archive:" + dir + "/image.tar", "--base", "scratch"}
			},
			func(*testing.T, string) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := 0
			for n := 1; n < 200; n++ {
				dir := t.TempDir()
				c.begin(t, dir)
				if !killAt(t, n, dir, program, c.args(dir)...) {
					break
				}
				kills++
				if _, stderr, err := pfring(t, c.args(dir)...); err != nil {
					t.Fatalf("killed at change %d, the next run: %v\n%s", n, err, stderr)
				}
				if left := leftovers(t, dir); len(left) > 0 {
					t.Errorf("killed at change %d, left after the next run: %q", n, left)
				}
				c.check(t, dir)
			}
			if t.Logf("killed at each of %d changes", kills); kills == 0 {
				t.Error("it was never killed")
			}
		})
	}
}

// Killed at any request, a push leaves the old index or the new one, and the next
// completes it.
func TestAKilledPushLeavesTheOldIndexOrTheNewOne(t *testing.T) {
	program, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	old, key := signedRepository(t)
	r := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: "6.1.0-18", Padding: 200_000}, "zst").Add(moduletest.KO{Kernel: "6.1.0-21"}, "zst").Sign()
	newer := t.TempDir()
	r.Write(newer)
	for n := int64(1); ; n++ {
		store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
		var count atomic.Int64
		var kill atomic.Pointer[os.Process]
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if p := kill.Load(); p != nil && count.Add(1) == n {
				// Half of the requests are carried out before their client ends.
				if n%2 == 0 {
					store.ServeHTTP(httptest.NewRecorder(), request)
				}
				_ = p.Kill()
				panic(http.ErrAbortHandler)
			}
			store.ServeHTTP(w, request)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.Start()
		url := "oci://" + strings.TrimPrefix(s.URL, "http://") + "/team/pf-ring"
		mustRun(t, "module", "push", old, url, "--public-key", key)
		cmd := exec.Command(program, "module", "push", newer, url, "--public-key", r.PublicKey)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill.Store(cmd.Process)
		err := cmd.Wait()
		kill.Store(nil)
		if err == nil {
			s.Close()
			t.Logf("killed at each of %d requests", n-1)
			if n < 5 {
				t.Error("it made too few requests to see this")
			}
			return
		}
		if get(t, url, key, "6.1.0-18", "amd64") != nil && get(t, url, r.PublicKey, "6.1.0-18", "amd64") != nil {
			t.Errorf("killed at request %d: nodes accept neither the old index nor the new one\n%s", n, &said)
		}
		mustRun(t, "module", "push", newer, url, "--public-key", r.PublicKey)
		if err := get(t, url, r.PublicKey, "6.1.0-21", "amd64"); err != nil {
			t.Errorf("killed at request %d, after the next push: %v", n, err)
		}
		s.Close()
	}
}

// Writers of one folder come one after the other: each index has a serial of its
// own.
func TestWritersOfOneFolderComeOneAfterTheOther(t *testing.T) {
	program, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"a/pf_ring.ko": moduletest.KO{Kernel: "6.1.0-1", Padding: 90_000}.Bytes()})
	const writers = 5
	var all sync.WaitGroup
	said := make([]string, writers)
	for i := range said {
		all.Go(func() {
			out, err := exec.Command(program, "module", "index", dir).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			_, after, _ := strings.Cut(string(out), "serial ")
			said[i], _, _ = strings.Cut(after, ",")
		})
	}
	all.Wait()
	slices.Sort(said)
	if len(slices.Compact(slices.Clone(said))) != writers || said[writers-1] != "5" {
		t.Errorf("the serials are %q", said)
	}
}
