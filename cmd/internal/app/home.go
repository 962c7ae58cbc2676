package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"

	"github.com/spf13/cobra"

	"patwatch/auditlog"
	"patwatch/cmd/internal/config"
	"patwatch/ledger"
)

// A home is the configuration and the data folder that belongs to it.
type home struct {
	*config.Config
	warnings []string // of the environment
}

// loadHome reads the configuration that --config names.
func loadHome(cmd *cobra.Command) (*home, error) {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return loadHomeFrom(path)
}

func loadHomeFrom(path string) (*home, error) {
	c, unknown, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, err
	}
	h := &home{Config: c}
	for _, name := range unknown {
		h.warnings = append(h.warnings, "unknown environment variable "+name)
	}
	return h, nil
}

// file is the path of a file in the data folder.
func (h *home) file(name string) string { return filepath.Join(h.DataDir, name) }

// orDefault returns a configured path, or that of a file in the data folder.
func (h *home) orDefault(configured, name string) string {
	if configured != "" {
		return configured
	}
	return h.file(name)
}

// existing checks that a file of the data folder is there: a command that only
// looks does not make one.
func (h *home) existing(name string) error {
	_, err := os.Stat(h.file(name))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no %s in %s: set data_dir, or start with patwatch serve", name, h.DataDir)
	}
	return err
}

const ledgerFile = "ledger.db"

// openLedger opens the ledger of a data folder in use, to read and review.
func (h *home) openLedger(ctx context.Context) (*ledger.Ledger, error) {
	if err := h.existing(ledgerFile); err != nil {
		return nil, err
	}
	signer, err := h.signer()
	if err != nil {
		return nil, err
	}
	return ledger.Open(ctx, h.file(ledgerFile), ledger.Options{Signer: signer})
}

// signer returns what signs the audit log; its key is made when there is none.
func (h *home) signer() (*auditlog.Signer, error) {
	return auditlog.OpenSigner(h.orDefault(h.Audit.KeyFile, "audit.key"), "patwatch")
}

// withLedger runs f on the ledger.
func withLedger(cmd *cobra.Command, f func(context.Context, *ledger.Ledger) error) error {
	h, err := loadHome(cmd)
	if err != nil {
		return err
	}
	l, err := h.openLedger(cmd.Context())
	if err != nil {
		return err
	}
	return errors.Join(f(cmd.Context(), l), l.Close())
}

// operator is who runs a command: the name that is logged in on this machine.
func operator() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "operator"
	}
	return u.Username
}

// writeTo lets f write to a file, or to standard output if name is empty. The
// file gets its name only when f is done.
func writeTo(s Streams, name string, f func(io.Writer) error) error {
	if name == "" {
		return f(s.Out)
	}
	file, err := createReport(name)
	if err != nil {
		return err
	}
	r := &reportFile{file: file, name: name}
	if err := f(file); err != nil {
		return errors.Join(err, r.abandon())
	}
	return r.finish()
}
