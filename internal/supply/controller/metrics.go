package controller

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
)

var (
	buildsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pfring_supply_builds_total", Help: "Finished builds, by kernel release, architecture and result: built or failed.",
	}, []string{"kernel", "arch", "result"})
	buildSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "pfring_supply_build_seconds", Help: "Seconds from the creation of a build's Job to its end.",
		Buckets: []float64{10, 30, 60, 120, 300, 600, 1200, 1800, 3600},
	})
	queued = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pfring_supply_queue", Help: "Kernels whose build is queued or running.",
	})
	modules = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pfring_supply_modules", Help: "Modules that the published index lists.",
	})
	indexSerial = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pfring_supply_index_serial", Help: "Serial of the published index.",
	})
	indexExpires = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pfring_supply_index_expires", Help: "When the published index expires, in seconds since 1970.",
	})
	retriedPods = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "pfring_supply_retried_pods_total", Help: "Agents' pods that were restarted because a module for their node became available.",
	})
	problems = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pfring_supply_problems", Help: "Problems of the controller as a whole, by reason.",
	}, []string{"reason"})
	kernels = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pfring_supply_kernels", Help: "Kernels by state.",
	}, []string{"state"})
)

func register() error {
	for _, c := range []prometheus.Collector{buildsTotal, buildSeconds, queued, modules, indexSerial, indexExpires, retriedPods, problems, kernels} {
		if err := metrics.Registry.Register(c); err != nil {
			if registered := (prometheus.AlreadyRegisteredError{}); !errors.As(err, &registered) {
				return err
			}
		}
	}
	return nil
}

// observe brings the gauges up to date.
func (r *reconciler) observe(l *look) {
	waiting := 0
	kernels.Reset()
	for _, s := range []supply.State{supply.Queued, supply.Building, supply.Built, supply.Failed, supply.Unsupported, supply.Sourced} {
		kernels.WithLabelValues(string(s)).Set(0)
	}
	for _, k := range l.plan.Kernels {
		kernels.WithLabelValues(string(k.State)).Inc()
		if k.State == supply.Queued || k.State == supply.Building {
			waiting++
		}
	}
	queued.Set(float64(waiting))
	modules.Set(float64(len(l.index.list)))
	indexSerial.Set(float64(l.index.serial))
	if !l.index.expires.IsZero() {
		indexExpires.Set(float64(l.index.expires.Unix()))
	}
	l.observeProblems()
}

// observeProblems is observe for a look that has seen nothing else.
func (l *look) observeProblems() {
	problems.Reset()
	for _, p := range l.problems {
		problems.WithLabelValues(string(p.Reason)).Inc()
	}
}
