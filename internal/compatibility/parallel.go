package compatibility

import (
	"sync"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

// Ahead asks find about every kernel of the nodes that Match will ask about, n
// at a time, and returns a lookup that has the answers. It is for lookups that
// go over the network.
func Ahead(nodes []cluster.Node, find Lookup, n int) Lookup {
	judge := verdict.NewJudge()
	answers := map[key]*Answer{}
	var workers sync.WaitGroup
	slots := make(chan struct{}, n)
	for _, node := range nodes {
		k := key{node.Kernel, node.Arch}
		if answers[k] != nil || !judge.Asks(node) {
			continue
		}
		answer := &Answer{}
		answers[k] = answer
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			*answer = find(k.kernel, k.arch)
		})
	}
	workers.Wait()
	return func(kernel, arch string) Answer {
		if answer := answers[key{kernel, arch}]; answer != nil {
			return *answer
		}
		return find(kernel, arch)
	}
}
