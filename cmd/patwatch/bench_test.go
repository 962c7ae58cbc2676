package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patwatch/cmd/internal/app"
)

// BenchmarkScan scans the repositories that PATWATCH_BENCH_REPOS lists, as
// PATH does. It is what the compiler's profile is made with: make profile.
func BenchmarkScan(b *testing.B) {
	repos := os.Getenv("PATWATCH_BENCH_REPOS")
	if repos == "" {
		b.Skip("PATWATCH_BENCH_REPOS names no repository")
	}
	for _, repo := range filepath.SplitList(repos) {
		b.Run(filepath.Base(repo), func(b *testing.B) {
			for b.Loop() {
				streams := app.Streams{In: strings.NewReader(""), Out: io.Discard, Err: os.Stderr}
				if code := app.Run(b.Context(), []string{"scan", "--format", "json", repo}, streams); code > 1 {
					b.Fatalf("exit code %d", code)
				}
			}
		})
	}
}
