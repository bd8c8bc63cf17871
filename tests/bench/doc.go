// Package bench measures whole programs against their rivals, in turns and in the
// same run: pfring against helm, the agent's fetch against curl, a thousand agents
// at once. hack/bench runs what is here and makes the table of docs/performance.md.
package bench
