// Package vm boots Debian kernels in QEMU and lets a test run programs in them,
// so that the agent is held against real kernels that load real modules.
//
// The machine is emulated (TCG), needs no privilege and no KVM. It boots into
// an initramfs that is made here and holds the agent, the test's files and a
// small init (package guest); the test talks to that over a second serial port
// in the terms of package step. Kernels and their headers come as Debian's
// packages by way of the system's own apt configuration, unpacked into the cache
// and never installed. The pf_ring module is the stand-in in testdata, built
// against those headers.
//
// Only tests and benchmarks import it. It asserts nothing itself.
package vm
