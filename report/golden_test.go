package report_test

import (
	"testing"

	"patwatch/report"
)

func TestGolden(t *testing.T) {
	colour := report.Terminal{Width: 120, Color: true}
	for _, c := range []struct {
		name, format string
		empty        bool
		summary      report.Summary
		terminal     report.Terminal
	}{
		{"table", "table", false, summary(), report.Terminal{}},
		{"table-120", "table", false, summary(), report.Terminal{Width: 120}},
		{"table-80", "table", false, summary(), report.Terminal{Width: 80}},
		{"table-40", "table", false, summary(), report.Terminal{Width: 40}},
		{"table-color", "table", false, incomplete(), colour},
		{"table-incomplete-80", "table", false, incomplete(), report.Terminal{Width: 80}},
		{"table-clean", "table", true, summary(), report.Terminal{Width: 80}},
		{"table-clean-incomplete", "table", true, incomplete(), report.Terminal{Width: 80}},
		{"json", "json", false, incomplete(), report.Terminal{}},
		{"json-clean", "json", true, summary(), report.Terminal{}},
		{"jsonl", "jsonl", false, incomplete(), report.Terminal{}},
		{"gitleaks", "gitleaks", false, summary(), report.Terminal{}},
		{"gitleaks-clean", "gitleaks", true, summary(), report.Terminal{}},
		{"sarif", "sarif", false, incomplete(), report.Terminal{}},
		{"sarif-clean", "sarif", true, summary(), report.Terminal{}},
		{"csv", "csv", false, summary(), report.Terminal{}},
		{"csv-clean", "csv", true, summary(), report.Terminal{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := report.Group(sample())
			if c.empty {
				fs = nil
			}
			golden(t, c.name, write(t, c.format, fs, c.summary, report.Options{Terminal: c.terminal, Now: now}))
		})
	}
}
