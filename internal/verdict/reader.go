package verdict

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Caller is who ran a command that asked a module repository from this machine. A
// node is helped by its values; the caller by flags, logins and this machine's
// network.
type Caller struct {
	// FromFlag says that --source named the repository, not the values.
	FromFlag bool
	// Argument says that the command's argument named it: such a command has none of
	// the flags of those that read a repository.
	Argument bool
	// CAFile is that of --ca-file, or "", and NoCAFile says that the command has no
	// such flag.
	CAFile   string
	NoCAFile bool
	// ClusterSecrets says that the Secrets and CA that the values name are used, and
	// Named that the values name any.
	ClusterSecrets, Named bool
	// NoEgress says that the command has the flag --no-egress.
	NoEgress bool
}

// Remedy is what the caller can do about an error of the repository.
func (c Caller) Remedy(e *module.Error) string {
	text := c.remedy(e)
	if c.Argument || c.FromFlag {
		// It is written for the values.
		for _, key := range []string{"tap.kernelModule.source.url", "source.url"} {
			text = strings.ReplaceAll(text, key, c.address())
		}
	}
	if c.Argument {
		for key, flag := range map[string]string{"region": "--region", "endpoint": "--endpoint"} {
			text = strings.ReplaceAll(text, "tap.kernelModule.source."+key, flag)
			text = strings.ReplaceAll(text, "source."+key, flag)
		}
	}
	return text
}

func (c Caller) remedy(e *module.Error) string {
	said := strings.ToLower(e.Why)
	if e.Err != nil {
		said += " " + strings.ToLower(e.Err.Error())
	}
	switch e.Reason {
	case outcome.SourceTLSUntrusted:
		return c.untrusted(e)
	case outcome.SourceForbidden:
		return c.forbidden(e, said)
	case outcome.SourceUnreachable:
		switch {
		case strings.HasPrefix(e.Where, "/"):
			return c.folder()
		case e.Do != "":
			return e.Do
		}
		return c.unreachable(e)
	case outcome.SourceTimeout:
		if c.Argument {
			return "Allow more time with --request-timeout, or check this machine's network and proxy."
		}
		return "Allow more time with --source-timeout, or check this machine's network and proxy."
	case outcome.SourceInvalid:
		if errors.Is(e, module.ErrNotFound) {
			return "Check the address in " + c.address() + ": index.json, or meta/versions.json in the historic layout, must lie directly below it."
		}
	case outcome.SignatureInvalid:
		if c.Argument {
			return "Compare --public-key with the key that signs the repository; do not load a module that you cannot account for."
		}
		return "Compare source.publicKeys and --public-key with the key that signs the repository; do not load a module that you cannot account for."
	}
	return e.Remedy()
}

// folder is what to do about a folder that is not on this machine. That of the values
// is on the nodes, or on a volume.
func (c Caller) folder() string {
	if c.FromFlag {
		return "Check the path in --source, which is one of this machine."
	}
	return "The values name a folder of the nodes. Give a copy of it on this machine: --source file:///PATH. Or let the nodes look: pfring prereq check --probe."
}

func (c Caller) address() string {
	switch {
	case c.Argument:
		return "the argument"
	case c.FromFlag:
		return "--source"
	}
	return "tap.kernelModule.source.url"
}

// secretsAdvice is the advice to use the cluster's own Secrets, where there are any.
func (c Caller) secretsAdvice(what string) string {
	if c.ClusterSecrets || !c.Named {
		return ""
	}
	return ", or use " + what + " that the values name: --use-cluster-secrets"
}

func (c Caller) untrusted(e *module.Error) string {
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(e, &host):
		return "Use a host name that the server's certificate covers in " + c.address() + ", or renew the certificate with this name."
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return "The certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339) + ": check the clock of this machine."
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired:
		return "Renew the server's certificate, which has expired; check the clock of this machine."
	case c.NoCAFile:
		return "Trust the CA that signed the server's certificate on this machine, or download the file and name it instead."
	case c.CAFile != "":
		return "Name the CA that signed the server's certificate; the one in " + c.CAFile + " did not" + c.secretsAdvice("the CA bundle") + "."
	}
	return "Name the CA that signed the server's certificate with --ca-file FILE" + c.secretsAdvice("the CA bundle") + "."
}

func (c Caller) forbidden(e *module.Error, said string) string {
	switch {
	case strings.Contains(said, "proxy"):
		return "Give the proxy's login to this machine, in HTTPS_PROXY."
	case strings.Contains(said, "expiredtoken"), strings.Contains(said, "expired") && strings.HasPrefix(e.Where, "s3://"):
		return "Your login has expired: log in again (aws sso login)" + c.secretsAdvice("the login") + "."
	case strings.Contains(said, "expired"):
		return "Your login has expired: log in again (docker login, aws sso login)" + c.secretsAdvice("the login") + "."
	case e.Do != "" && !strings.Contains(e.Do, "Secret"):
		return e.Do // the Secrets are the nodes'
	}
	text := "Log in to it on this machine (docker login for a registry, an AWS profile for a bucket)" + c.secretsAdvice("the login") + "."
	if strings.HasPrefix(e.Where, "s3://") || strings.Contains(said, "accessdenied") {
		text += " A bucket also answers 403 for a missing object if the login lacks s3:ListBucket: check the prefix in " + c.address() + "."
	}
	return text
}

func (c Caller) unreachable(e *module.Error) string {
	text := "Check this machine's network and proxy."
	if dns := (*net.DNSError)(nil); errors.As(e, &dns) && dns.IsNotFound {
		text = "Check the host name in " + c.address() + ", and this machine's DNS and VPN."
	}
	if c.NoEgress {
		text += " If nodes cannot reach the outside either, use --no-egress; to plan for images, use --mode kmm --image-repository IMAGE."
	}
	if c.Argument {
		return text
	}
	return text + " To check whether nodes reach it: pfring prereq check --probe"
}
