package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A checker collects what is wrong.
type checker struct{ errs []error }

func (k *checker) wrong(key, format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.wrong(key, "%q is not one of %s%s", value, strings.Join(allowed, ", "), didYouMean(value, allowed))
	}
}

// notBuilt refuses a key whose part does not exist yet: to ignore it would look
// as if it worked.
func (k *checker) notBuilt(key string, set bool) {
	if set {
		k.wrong(key, "this version does not have that part yet")
	}
}

// httpURL checks the address of a server.
func (k *checker) httpURL(key, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		k.wrong(key, "it is an address such as https://github.example.org")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		k.wrong(key, "an address here has no user, no query and no fragment; secrets are in files")
	}
}

func (k *checker) address(key, value string) {
	if _, _, err := net.SplitHostPort(value); err != nil {
		k.wrong(key, "it is host:port, such as 127.0.0.1:8080")
	}
}

func (k *checker) mailbox(key, value string) {
	if _, err := mail.ParseAddress(value); err != nil {
		k.wrong(key, "it is a mail address")
	}
}

func (k *checker) positive(key string, n int64) {
	if n <= 0 {
		k.wrong(key, "it is more than 0")
	}
}

// check returns all that is wrong, or nil.
func (c *Config) check() error {
	k := &checker{}
	if c.DataDir == "" {
		k.wrong("data_dir", "it is a folder")
	}
	k.oneOf("log_level", c.LogLevel, "debug", "info", "warn", "error")
	c.checkSources(k)
	c.checkStores(k)
	c.checkResponse(k)
	c.checkWeb(k)
	return errors.Join(k.errs...)
}

func (c *Config) checkSources(k *checker) {
	g := &c.GitHub
	k.httpURL("github.api_url", g.APIURL)
	k.httpURL("github.git_url", g.GitURL)
	k.positive("github.concurrency", int64(g.Concurrency))
	k.notBuilt("github.webhook.secret_file", g.Webhook.SecretFile != "")
	k.notBuilt("github.partner.enabled", g.Partner.Enabled)
	k.notBuilt("github.app.id", g.App.ID != 0 || g.App.PrivateKeyFile != "")
	k.notBuilt("github.archive.urls", len(g.Archive.URLs) > 0)
	k.notBuilt("gitlab.secret_file", c.GitLab.SecretFile != "")
	if len(c.Scan.Formats) == 0 && c.Scan.FormatsFile == "" {
		k.wrong("scan.formats", "name at least one format; patwatch formats list shows them")
	}
	k.positive("scan.max_blob", int64(c.Scan.MaxBlob))
	k.positive("scan.max_push", int64(c.Scan.MaxPush))
}

func (c *Config) checkStores(k *checker) {
	k.oneOf("queue.backend", c.Queue.Backend, "embedded", "kafka")
	k.notBuilt(`queue.backend = "kafka"`, c.Queue.Backend == "kafka")
	k.oneOf("tokens.backend", c.Tokens.Backend, "embedded", "redis")
	k.notBuilt(`tokens.backend = "redis"`, c.Tokens.Backend == "redis")
	k.oneOf("ledger.backend", c.Ledger.Backend, "embedded", "postgres")
	k.notBuilt(`ledger.backend = "postgres"`, c.Ledger.Backend == "postgres")
	k.positive("audit.checkpoint_every", int64(c.Audit.CheckpointEvery))
	k.positive("audit.retention", int64(c.Audit.Retention))
	k.notBuilt("stream", len(c.Streams) > 0)
}

func (c *Config) checkResponse(k *checker) {
	revoke := []string{"off", "after", "immediate"}
	k.oneOf("policy.revoke", c.Policy.Revoke, revoke...)
	k.positive("policy.after", int64(c.Policy.After))
	k.positive("policy.max_revocations_per_hour", int64(c.Policy.MaxRevocationsPerHour))
	k.positive("policy.remind_every", int64(c.Policy.RemindEvery))
	for i := range c.Organizations {
		c.checkOrganization(k, i, revoke)
	}
	k.oneOf("issuer.kind", c.Issuer.Kind, "store", "azure-devops", "webhook", "github", "gitlab")
	k.notBuilt("issuer.kind = "+c.Issuer.Kind, c.Issuer.Kind == "github" || c.Issuer.Kind == "gitlab")
	if c.Issuer.Kind != "store" {
		k.httpURL("issuer.url", c.Issuer.URL)
		if c.Issuer.CredentialFile == "" {
			k.wrong("issuer.credential_file", "issuer.kind %q needs one", c.Issuer.Kind)
		}
	}
	k.address("mail.smtp", c.Mail.SMTP)
	k.oneOf("mail.tls", c.Mail.TLS, "mandatory", "implicit", "none")
	k.mailbox("mail.from", c.Mail.From)
	if (c.Mail.Username == "") != (c.Mail.PasswordFile == "") {
		k.wrong("mail.username", "mail.username and mail.password_file belong together")
	}
}

func (c *Config) checkOrganization(k *checker, i int, revoke []string) {
	o := &c.Organizations[i]
	key := fmt.Sprintf("organization %q", o.Name)
	if o.Name == "" {
		k.wrong(fmt.Sprintf("organization number %d", i+1), "it has no name")
	}
	if slices.ContainsFunc(c.Organizations[:i], func(other Organization) bool { return strings.EqualFold(other.Name, o.Name) }) {
		k.wrong(key, "it is there twice")
	}
	if o.Revoke != "" {
		k.oneOf(key+".revoke", o.Revoke, revoke...)
	}
	for _, admin := range o.Admins {
		k.mailbox(key+".admins", admin)
	}
}

func (c *Config) checkWeb(k *checker) {
	w := &c.Web
	k.address("web.listen", w.Listen)
	if w.PublicURL != "" {
		k.httpURL("web.public_url", w.PublicURL)
	}
	if w.MetricsListen != "" {
		k.address("web.metrics_listen", w.MetricsListen)
	}
	if (w.TLSCertFile == "") != (w.TLSKeyFile == "") {
		k.wrong("web.tls_cert_file", "web.tls_cert_file and web.tls_key_file belong together")
	}
	if !loopback(w.Listen) && w.TLSCertFile == "" && !w.TrustProxy {
		k.wrong("web.listen", "%s can be reached from outside: set web.tls_cert_file and web.tls_key_file, or web.trust_proxy = true behind a proxy that speaks TLS", w.Listen)
	}
	k.notBuilt("web.oidc.issuer_url", w.OIDC != OIDC{})
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // said already
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
