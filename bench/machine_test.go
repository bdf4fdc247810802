package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// processor is the processor time that this process has used, in all its threads.
func processor() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// percentile is that of some measurements, which it sorts; 50 is the median.
func percentile[T int64 | float64 | time.Duration](p int, of []T) T {
	slices.Sort(of)
	return of[(len(of)-1)*p/100]
}

// describeMachine logs what the figures depend on most: processors, and what it
// takes this disk to make 4 KB last.
func describeMachine(b *testing.B) {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "probe"))
	must(b, err)
	defer file.Close()
	var took []time.Duration
	for range 200 {
		began := time.Now()
		_, err := file.Write(make([]byte, 4096))
		must(b, err)
		must(b, file.Sync())
		took = append(took, time.Since(began))
	}
	b.Logf("%d processors; fsync of 4 KB: median %s, p90 %s", runtime.NumCPU(),
		percentile(50, took).Round(time.Microsecond), percentile(90, took).Round(time.Microsecond))
}
