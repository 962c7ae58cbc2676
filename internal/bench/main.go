//go:build unix

// Command bench measures a scan side by side with git itself: the patwatch
// binary over a repository's whole history against git's own decoding of the
// same objects, with 10,000 formats more, and over a checkout against cat. The
// commands run in turn, and medians and their ratios are printed as a table.
//
//	bench -bin ./patwatch -repo path/to/repo.git
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	bin := flag.String("bin", "./patwatch", "the `program` to measure")
	repo := flag.String("repo", "", "the repository to scan: a complete clone")
	runs := flag.Int("runs", 5, "runs of each command, after one that does not count")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *repo == "" {
		fmt.Fprintln(os.Stderr, "usage: make bench REPO=path/to/repository")
		os.Exit(2)
	}
	if err := bench(ctx, os.Stdout, *bin, *repo, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sample is what one run of a command took.
type sample struct {
	wall, cpu time.Duration
	memory    int64 // largest resident size, bytes
}

// contender is a command that is measured.
type contender struct {
	name    string
	command []string
	samples []sample
}

func bench(ctx context.Context, w io.Writer, bin, repo string, runs int) error {
	tmp, err := os.MkdirTemp("", "patwatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	more := filepath.Join(tmp, "formats.toml")
	if err := os.WriteFile(more, syntheticFormats(10000), 0o644); err != nil {
		return err
	}
	tree := filepath.Join(tmp, "tree")
	if err := checkout(ctx, repo, tree); err != nil {
		return err
	}
	git := &contender{name: "git cat-file, all objects", command: []string{"git", "--git-dir=" + gitDir(repo), "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"}}
	scan := &contender{name: "patwatch scan", command: []string{bin, "scan", "--format", "json", "-o", os.DevNull, repo}}
	many := &contender{name: "patwatch scan, 10,000 formats more", command: []string{bin, "scan", "--format", "json", "-o", os.DevNull, "--formats", more, repo}}
	cat := &contender{name: "find and cat, checkout", command: []string{"sh", "-c", "find \"$1\" -type f -print0 | xargs -0 cat", "sh", tree}}
	files := &contender{name: "patwatch scan, checkout", command: []string{bin, "scan", "--format", "json", "-o", os.DevNull, tree}}
	for _, group := range [][]*contender{{git, scan, many}, {cat, files}} {
		if err := race(ctx, group, runs); err != nil {
			return err
		}
	}
	return report(w, packSize(repo), git, scan, many, cat, files)
}

// race runs the commands in turn.
func race(ctx context.Context, group []*contender, runs int) error {
	for i := range runs + 1 {
		for _, c := range group {
			s, err := run(ctx, c.command)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i > 0 {
				c.samples = append(c.samples, s)
			}
		}
	}
	return nil
}

// run runs a command once. Exit code 1 is a scan that found something.
func run(ctx context.Context, command []string) (sample, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	started := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(started)}
	if err != nil && (cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1) {
		return s, err
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = u.Maxrss
		if runtime.GOOS == "linux" {
			s.memory *= 1024 // Linux counts in KiB, macOS in bytes
		}
	}
	return s, nil
}

// median is the sample whose figures are the medians of all.
func (c *contender) median() sample {
	pick := func(f func(sample) int64) int64 {
		var v []int64
		for _, s := range c.samples {
			v = append(v, f(s))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{
		wall:   time.Duration(pick(func(s sample) int64 { return int64(s.wall) })),
		cpu:    time.Duration(pick(func(s sample) int64 { return int64(s.cpu) })),
		memory: pick(func(s sample) int64 { return s.memory }),
	}
}

// report writes the table.
func report(w io.Writer, packs int64, git, scan, many, cat, files *contender) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s, %d CPUs, medians of %d runs; packs %d MiB\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), len(scan.samples), packs>>20)
	b.WriteString("| command | wall s | CPU s | memory MiB | wall ratio | CPU ratio |\n|---|---:|---:|---:|---:|---:|\n")
	for _, pair := range [][2]*contender{{git, git}, {scan, git}, {many, git}, {cat, cat}, {files, cat}} {
		m, to := pair[0].median(), pair[1].median()
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %d | %.2f | %.2f |\n", pair[0].name, m.wall.Seconds(), m.cpu.Seconds(), m.memory>>20,
			m.wall.Seconds()/to.wall.Seconds(), m.cpu.Seconds()/to.cpu.Seconds())
	}
	fmt.Fprintf(&b, "\nMemory above the packs' size: %d MiB. 10,000 formats more: %+.0f %% CPU.\n",
		(scan.median().memory-packs)>>20, 100*(many.median().cpu.Seconds()/scan.median().cpu.Seconds()-1))
	_, err := io.WriteString(w, b.String())
	return err
}

// syntheticFormats is a formats file with n formats of made-up prefixes.
func syntheticFormats(n int) []byte {
	var b strings.Builder
	b.WriteString("issuer = \"Synthetic\"\n")
	for i := range n {
		prefix := make([]byte, 0, 8)
		for v := uint64(i)*0x9E3779B97F4A7C15 | 1; len(prefix) < 5+i%4; v = v*6364136223846793005 + 1442695040888963407 {
			prefix = append(prefix, "abcdefghijklmnopqrstuvwxyz"[v>>33%26])
		}
		fmt.Fprintf(&b, "[[format]]\nid = \"synthetic-%d\"\nname = \"Synthetic %d\"\nkind = \"api-key\"\ntier = \"shape\"\npattern = '%s%d_[A-Za-z0-9]{30}'\nboundary = '[A-Za-z0-9_]'\n", i, i, prefix, i)
	}
	return []byte(b.String())
}

// gitDir is the folder that git wants to be told.
func gitDir(repo string) string {
	if info, err := os.Stat(filepath.Join(repo, ".git")); err == nil && info.IsDir() {
		return filepath.Join(repo, ".git")
	}
	return repo
}

// checkout writes the files of HEAD to dir.
func checkout(ctx context.Context, repo, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "git --git-dir=\"$1\" archive HEAD | tar -x -C \"$2\"", "sh", gitDir(repo), dir)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func packSize(repo string) int64 {
	names, _ := filepath.Glob(filepath.Join(gitDir(repo), "objects", "pack", "*.pack"))
	var n int64
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}
