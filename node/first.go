package node

import (
	"context"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// LoadFirst is Load from the first of several repositories that has a module
// which can be loaded: the next is asked where one has none, or cannot be
// trusted or reached. Each element makes its options when its turn has come.
// When none has one, the outcome is that of the last, with what the others said
// in its message.
func LoadFirst(ctx context.Context, repositories ...func(context.Context) LoadOptions) outcome.Outcome {
	var last outcome.Outcome
	said := ""
	for _, options := range repositories {
		last = Load(ctx, options(ctx))
		if last.Backend == outcome.PFRing || !elsewhere(last.Reason) {
			return last
		}
		if said != "" {
			last.Message += "; before that " + said
		}
		said = last.Message
	}
	return last
}

// elsewhere tells whether another repository may have what this one had not.
func elsewhere(r outcome.Reason) bool {
	switch r {
	case outcome.NoModuleForKernel, outcome.SourceUnreachable, outcome.SourceForbidden, outcome.SourceTLSUntrusted, outcome.SourceTimeout,
		outcome.SourceInvalid, outcome.SourceUnsigned, outcome.SignatureInvalid, outcome.IndexExpired, outcome.IndexRolledBack, outcome.VersionRolledBack,
		outcome.DigestMismatch, outcome.TooLarge, outcome.NotAModule, outcome.Truncated, outcome.WrongModule, outcome.WrongArch, outcome.WrongKernel, outcome.OtherBuild:
		return true
	}
	return false
}
