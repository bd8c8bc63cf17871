package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/trust"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

const (
	// trustAnnotation of the ConfigMap Public records since when each key and
	// certificate is published.
	trustAnnotation = "kubeshark-pfring/trust"
	// lookAtSecrets is how often Secrets are read.
	lookAtSecrets = time.Minute

	caKeyKey, caCertKey = "ca.key", supply.CAKey
)

// trusted is what agents trust at a time.
type trusted struct {
	key minisign.PrivateKey
	// signing is key's public key, "" while it may not sign yet.
	signing string
	// public are all keys whose signatures count, the wanted one first.
	public []string
	read   time.Time
	// next is when something changes by itself.
	next     time.Time
	problems []supply.Problem
}

// record is the annotation.
type record struct {
	Keys trust.Bundle `json:"keys"`
	CAs  trust.Bundle `json:"cas"`
}

// trust reads the secrets, makes what is missing, and publishes what agents need.
func (r *reconciler) trust(ctx context.Context, l *look) error {
	if t := r.trusted; t != nil && l.now.Before(t.read.Add(lookAtSecrets)) && (t.next.IsZero() || l.now.Before(t.next)) && r.published(ctx) {
		l.problems = append(l.problems, t.problems...)
		return nil
	}
	t := &trusted{read: l.now}
	wanted, before := "", len(l.problems)
	key, err := r.signingKey(ctx)
	switch {
	case apierrors.IsForbidden(err) || apierrors.IsInternalError(err):
		return err
	case err != nil:
		l.problem(supply.SigningKeyWrong, "Put a minisign secret key without a password into the Secret, under the key "+supply.SigningKeyKey+".", "cannot sign the index: %v", err)
	default:
		t.key, wanted = key, mirror.PublicKey(key)
	}
	public := &corev1.ConfigMap{}
	err = r.live.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Public}, public)
	if apierrors.IsNotFound(err) {
		public, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("cannot read ConfigMap %s: %w", r.names.Public, err)
	}
	now := recordOf(public)
	if wanted != "" {
		rolled, inUse, next := trust.Roll(now.Keys, wanted, l.now)
		now.Keys, t.next = rolled, next
		if inUse.ID == trust.ID(wanted) {
			t.signing = wanted
		}
	}
	for _, a := range slices.Backward(now.Keys) {
		t.public = append(t.public, a.Text)
	}
	if r.o.Config.Serves() {
		next, err := r.certificate(ctx, l, &now)
		if err != nil {
			return err
		}
		t.next = earlier(t.next, next)
	}
	if err := r.writePublic(ctx, public, now); err != nil {
		return err
	}
	if r.trusted != nil && r.trusted.signing != "" && t.signing == "" {
		r.log.Info("a new signing key is published, and is used when agents have it", "after", trust.Settle.String())
	}
	t.problems = slices.Clone(l.problems[before:])
	r.trusted = t
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// published tells whether the ConfigMap is there still.
func (r *reconciler) published(ctx context.Context) bool {
	return r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Public}, &corev1.ConfigMap{}) == nil
}

// recordOf reads the bundles with their texts.
func recordOf(cm *corev1.ConfigMap) record {
	var out record
	if cm == nil || json.Unmarshal([]byte(cm.Annotations[trustAnnotation]), &out) != nil {
		return record{}
	}
	out.Keys = out.Keys.With(strings.Fields(cm.Data[supply.PublicKeysKey]))
	out.CAs = out.CAs.With(trust.Certificates([]byte(cm.Data[supply.CAKey])))
	return out
}

func (r *reconciler) writePublic(ctx context.Context, old *corev1.ConfigMap, now record) error {
	note, err := json.Marshal(now)
	if err != nil {
		return err
	}
	data := map[string]string{supply.PublicKeysKey: now.Keys.Texts()}
	if r.o.Config.Serves() {
		data[supply.CAKey] = now.CAs.Texts()
	}
	if old != nil && maps.Equal(old.Data, data) && old.Annotations[trustAnnotation] == string(note) {
		return nil
	}
	_, err = r.write(ctx, r.names.Public, old, data, nil, map[string]string{trustAnnotation: string(note)})
	return err
}

// signingKey reads the key, or makes it when there is none and none is given.
func (r *reconciler) signingKey(ctx context.Context) (minisign.PrivateKey, error) {
	name := r.o.Config.Supply.SigningKeySecret
	if name != "" {
		secret := &corev1.Secret{}
		if err := r.live.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: name}, secret); err != nil {
			return minisign.PrivateKey{}, fmt.Errorf("cannot read Secret %s: %w", name, err)
		}
		return parseSecret(secret)
	}
	secret, err := r.secret(ctx, r.names.Key, func() (map[string][]byte, error) {
		text, err := trust.NewKey()
		return map[string][]byte{supply.SigningKeyKey: text}, err
	})
	if err != nil {
		return minisign.PrivateKey{}, err
	}
	return parseSecret(secret)
}

func parseSecret(s *corev1.Secret) (minisign.PrivateKey, error) {
	key, err := trust.ParseKey(s.Data[supply.SigningKeyKey])
	if err != nil {
		return key, fmt.Errorf("invalid key %s of Secret %s: %w", supply.SigningKeyKey, s.Name, err)
	}
	return key, nil
}

// secret reads a Secret of the controller, and makes it when it is missing.
func (r *reconciler) secret(ctx context.Context, name string, content func() (map[string][]byte, error)) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: r.o.Namespace, Name: name}
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, key, secret)
	if !apierrors.IsNotFound(err) {
		if err != nil {
			err = fmt.Errorf("cannot read Secret %s: %w", name, err)
		}
		return secret, err
	}
	data, err := content()
	if err != nil {
		return nil, err
	}
	secret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.o.Namespace, Name: name, Labels: r.names.Labels(), Annotations: maps.Clone(unmanaged)},
		Data:       data,
	}
	if r.owner != nil {
		secret.OwnerReferences = []metav1.OwnerReference{*r.owner}
	}
	if err := r.client.Create(ctx, secret); err != nil {
		return nil, fmt.Errorf("cannot create Secret %s: %w", name, err)
	}
	r.log.Info("created a Secret", "name", name)
	return secret, nil
}

// certificate keeps the CA and the server's certificate fresh. A new CA is
// published before it signs what the server shows.
func (r *reconciler) certificate(ctx context.Context, l *look, now *record) (time.Time, error) {
	name := r.names.CA + "." + r.o.Namespace
	fresh := func() (map[string][]byte, error) {
		ca, err := trust.NewCA(name, l.now)
		return map[string][]byte{caCertKey: ca.Cert, caKeyKey: ca.Key}, err
	}
	secret, err := r.secret(ctx, r.names.CA, fresh)
	if err != nil {
		return time.Time{}, err
	}
	before := maps.Clone(secret.Data)
	ca := trust.Pair{Cert: secret.Data[caCertKey], Key: secret.Data[caKeyKey]}
	due, next := ca.Due(l.now)
	if due {
		made, err := fresh()
		if err != nil {
			return next, err
		}
		maps.Copy(secret.Data, made)
		ca = trust.Pair{Cert: made[caCertKey], Key: made[caKeyKey]}
		_, next = ca.Due(l.now)
	}
	rolled, inUse, change := trust.Roll(now.CAs, string(ca.Cert), l.now)
	now.CAs, next = rolled, earlier(next, change)
	host := r.names.Service + "." + r.o.Namespace
	hosts := []string{host + ".svc", host, host + ".svc.cluster.local", "localhost"}
	pair := trust.Pair{Cert: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]}
	if shown := r.o.serving.current(); !pair.Usable([]byte(rolled.Texts()), hosts[0], l.now) && shown.Usable([]byte(rolled.Texts()), hosts[0], l.now) {
		// The Secret was deleted: agents do not have the new CA yet.
		pair = shown
		secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = pair.Cert, pair.Key
	}
	old, renew := pair.Due(l.now)
	mine := pair.Usable(ca.Cert, hosts[0], l.now)
	others := pair.Usable([]byte(rolled.Texts()), hosts[0], l.now)
	if wanted := inUse.ID == trust.ID(string(ca.Cert)); wanted && (!mine || old) || !others {
		if pair, err = ca.Issue(hosts, l.now); err != nil {
			return next, err
		}
		secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = pair.Cert, pair.Key
		_, renew = pair.Due(l.now)
	}
	if !maps.EqualFunc(before, secret.Data, func(a, b []byte) bool { return string(a) == string(b) }) {
		if err := r.client.Update(ctx, secret); err != nil {
			return next, fmt.Errorf("cannot write Secret %s: %w", secret.Name, err)
		}
	}
	r.o.serving.set(pair)
	return earlier(next, renew), nil
}
