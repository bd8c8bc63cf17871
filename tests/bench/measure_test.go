//go:build unix

package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is what one process took.
type sample struct {
	wall time.Duration
	// maxRSS is the peak of resident memory in bytes.
	maxRSS int64
}

func (s sample) mib() float64 { return float64(s.maxRSS) / (1 << 20) }

// alternate runs the commands in turn, so that what else the machine does falls
// on all of them, and returns each one's median.
func (b *bench) alternate(rounds int, commands ...[]string) ([]sample, error) {
	walls, peaks := make([][]time.Duration, len(commands)), make([][]int64, len(commands))
	// The first round fills the file cache and is not counted.
	for round := range rounds + 1 {
		for i, args := range commands {
			s, err := b.measure(args)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				walls[i], peaks[i] = append(walls[i], s.wall), append(peaks[i], s.maxRSS)
			}
		}
	}
	out := make([]sample, len(commands))
	for i := range commands {
		out[i] = sample{wall: median(walls[i]), maxRSS: median(peaks[i])}
	}
	return out, nil
}

func median[T time.Duration | int64](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

// measure runs a command, which must end with 0 or one of the codes.
func (b *bench) measure(args []string, codes ...int) (sample, error) {
	cmd := exec.Command(args[0], args[1:]...) // #nosec G204 -- programs that were built here
	cmd.Env = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH")}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil && !slices.Contains(codes, cmd.ProcessState.ExitCode()) {
		return sample{}, fmt.Errorf("running %s %s: %w\n%s%s", filepath.Base(args[0]), strings.Join(args[1:min(len(args), 6)], " "), err, errOut.String(), tail(out.String()))
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, errors.New("this system does not tell what a process used")
	}
	peak := int64(usage.Maxrss) //nolint:unconvert // it has 32 bits on some systems
	if runtime.GOOS != "darwin" {
		peak *= 1024 // everywhere else it is in KiB
	}
	return sample{wall: wall, maxRSS: peak}, nil
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
