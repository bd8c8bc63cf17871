package kube

import "github.com/kubeshark/kubeshark-pfring/outcome"

// Loaded is a node on which PF_RING was loaded.
func Loaded() Result {
	return Result{Outcome: outcome.Outcome{
		Backend: outcome.PFRing, Reason: outcome.Loaded, Message: "loaded",
		Module: outcome.Module{Version: "8.9.0", Source: "https://modules.example.com/pf_ring", Verified: outcome.VerifiedSignature},
	}}
}

// Fallback is a node that stays on libpcap, for a reason.
func Fallback(reason outcome.Reason) Result {
	info, _ := outcome.Describe(reason)
	return Result{Outcome: outcome.Outcome{Backend: outcome.Libpcap, Reason: reason, Message: info.Cause}}
}

// Failed is the same node with onUnavailable=fail.
func Failed(reason outcome.Reason) Result {
	result := Fallback(reason)
	result.ExitCode = outcome.ExitNo
	return result
}

// Held is a node whose agent is still at it.
func Held() Result { return Result{Hold: true} }
