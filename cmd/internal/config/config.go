// Package config is the operators' file: its keys, their defaults, their
// environment forms, and what is wrong with them. The keys are a contract that
// scripts rely on (docs/design.md §9).
package config

import "time"

// Config is a whole configuration. Paths are relative to the working folder.
type Config struct {
	DataDir  string `toml:"data_dir"`
	LogLevel string `toml:"log_level"`

	GitHub        GitHub         `toml:"github"`
	GitLab        GitLab         `toml:"gitlab"`
	Scan          Scan           `toml:"scan"`
	Queue         Queue          `toml:"queue"`
	Tokens        Tokens         `toml:"tokens"`
	Ledger        Ledger         `toml:"ledger"`
	Policy        Policy         `toml:"policy"`
	Organizations []Organization `toml:"organization"`
	Issuer        Issuer         `toml:"issuer"`
	Mail          Mail           `toml:"mail"`
	Web           Web            `toml:"web"`
	Audit         Audit          `toml:"audit"`
	Streams       []Stream       `toml:"stream"`
}

// GitHub is where pushes come from and where they are fetched.
type GitHub struct {
	APIURL      string  `toml:"api_url"`
	GitURL      string  `toml:"git_url"`
	TokenFile   string  `toml:"token_file"`
	Events      bool    `toml:"events"`
	Concurrency int     `toml:"concurrency"`
	Webhook     Webhook `toml:"webhook"`
	Partner     Partner `toml:"partner"`
	App         App     `toml:"app"`
	Archive     Archive `toml:"archive"`
}

// Webhook is GitHub's push webhook.
type Webhook struct {
	SecretFile string `toml:"secret_file"`
}

// Partner is GitHub's secret scanning partner programme.
type Partner struct {
	Enabled bool              `toml:"enabled"`
	KeysURL string            `toml:"keys_url"`
	Types   map[string]string `toml:"types"` // the programme's type -> our format
}

// App is a GitHub App.
type App struct {
	ID             int64  `toml:"id"`
	PrivateKeyFile string `toml:"private_key_file"`
}

// Archive is where past events can be had.
type Archive struct {
	URLs []string `toml:"urls"`
}

// GitLab is a GitLab that sends events and asks for revocations.
type GitLab struct {
	SecretFile string `toml:"secret_file"`
}

// Scan says what serve looks for.
type Scan struct {
	Formats     []string `toml:"formats"`
	FormatsFile string   `toml:"formats_file"`
	MaxBlob     Size     `toml:"max_blob"`
	MaxPush     Size     `toml:"max_push"`
}

// Queue is where pushes wait.
type Queue struct {
	Backend string   `toml:"backend"`
	Brokers []string `toml:"brokers"`
	Topic   string   `toml:"topic"`
}

// Tokens is the token store.
type Tokens struct {
	Backend    string `toml:"backend"`
	Address    string `toml:"address"`
	PepperFile string `toml:"pepper_file"`
}

// Ledger is the durable record.
type Ledger struct {
	Backend string `toml:"backend"`
	URLFile string `toml:"url_file"`
}

// Policy says what is done about a leaked token.
type Policy struct {
	Revoke                string   `toml:"revoke"`
	After                 Duration `toml:"after"`
	MaxRevocationsPerHour int      `toml:"max_revocations_per_hour"`
	RemindEvery           Duration `toml:"remind_every"`
}

// Organization overrides the policy for the tokens of one organization.
type Organization struct {
	Name         string   `toml:"name"`
	Revoke       string   `toml:"revoke"`
	After        Duration `toml:"after"`
	Admins       []string `toml:"admins"`
	ExemptOwners []string `toml:"exempt_owners"`
}

// Issuer is what revokes tokens.
type Issuer struct {
	Kind           string `toml:"kind"`
	URL            string `toml:"url"`
	CredentialFile string `toml:"credential_file"`
}

// Mail is the smarthost, and how often an owner is written to.
type Mail struct {
	SMTP         string   `toml:"smtp"`
	TLS          string   `toml:"tls"`
	From         string   `toml:"from"`
	Username     string   `toml:"username"`
	PasswordFile string   `toml:"password_file"`
	DigestWindow Duration `toml:"digest_window"`
}

// Web is the HTTP server.
type Web struct {
	Listen        string `toml:"listen"`
	PublicURL     string `toml:"public_url"`
	TLSCertFile   string `toml:"tls_cert_file"`
	TLSKeyFile    string `toml:"tls_key_file"`
	TrustProxy    bool   `toml:"trust_proxy"`
	MetricsListen string `toml:"metrics_listen"`
	OIDC          OIDC   `toml:"oidc"`
}

// OIDC is OpenID Connect sign-in.
type OIDC struct {
	IssuerURL        string `toml:"issuer_url"`
	ClientID         string `toml:"client_id"`
	ClientSecretFile string `toml:"client_secret_file"`
}

// Audit is the audit log.
type Audit struct {
	KeyFile         string   `toml:"key_file"`
	CheckpointEvery Duration `toml:"checkpoint_every"`
	Retention       Duration `toml:"retention"`
}

// Stream sends audit events on.
type Stream struct {
	Kind       string `toml:"kind"`
	URL        string `toml:"url"`
	SecretFile string `toml:"secret_file"`
}

// Default returns the configuration of an empty file.
func Default() *Config {
	const day = 24 * time.Hour
	return &Config{
		DataDir:  "patwatch-data",
		LogLevel: "info",
		GitHub:   GitHub{APIURL: "https://api.github.com", GitURL: "https://github.com", Events: true, Concurrency: 64},
		Scan:     Scan{Formats: []string{"azure-devops-pat", "azure-devops-pat-legacy"}, MaxBlob: 64 << 20, MaxPush: 512 << 20},
		Queue:    Queue{Backend: "embedded", Brokers: []string{"127.0.0.1:9092"}, Topic: "patwatch.pushes"},
		Tokens:   Tokens{Backend: "embedded", Address: "127.0.0.1:6379"},
		Ledger:   Ledger{Backend: "embedded"},
		Policy:   Policy{Revoke: "off", After: Duration(3 * day), MaxRevocationsPerHour: 100, RemindEvery: Duration(day)},
		Issuer:   Issuer{Kind: "store"},
		Mail:     Mail{SMTP: "127.0.0.1:25", TLS: "mandatory", From: "patwatch <security@example.org>", DigestWindow: Duration(10 * time.Minute)},
		Web:      Web{Listen: "127.0.0.1:8080"},
		Audit:    Audit{CheckpointEvery: Duration(5 * time.Minute), Retention: Duration(400 * day)},
	}
}
