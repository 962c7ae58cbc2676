package scanner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"patwatch/leak"
)

// Files scans root, which is a file or a folder, with everything below it but
// folders named .git. Symbolic links are not followed, and devices, sockets
// and pipes are not opened, unless root itself is one. Paths of the places are
// relative to root, slash-separated.
func (s *Scanner) Files(ctx context.Context, root string, emit Emit) (Tally, error) {
	info, err := os.Stat(root)
	if err != nil {
		var t Tally
		t.missed("%s", reason(err))
		return t, nil
	}
	if !info.IsDir() {
		dir, name := filepath.Split(root)
		if dir == "" {
			dir = "."
		}
		return s.scanFiles(ctx, dir, emit, leak.File, func(give func(string) bool, _ func(string)) { give(name) })
	}
	return s.scanFiles(ctx, root, emit, leak.File, func(give func(string) bool, missed func(string)) {
		walk(root, give, missed)
	})
}

// walk gives the path of every regular file below root, relative to it, until
// give says false.
func walk(root string, give func(string) bool, missed func(string)) {
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			missed(reason(err))
			return nil
		case e.IsDir() && e.Name() == ".git" && path != root:
			return filepath.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		if rel, err := filepath.Rel(root, path); err != nil || !give(rel) {
			return filepath.SkipAll
		}
		return nil
	})
}

// scanFiles reads the files that list gives, relative to root, with all the
// scanner's jobs. list runs on its own goroutine and ends when give says false.
func (s *Scanner) scanFiles(ctx context.Context, root string, emit Emit, source leak.Source,
	list func(give func(string) bool, missed func(string))) (Tally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &fileScan{s: s, root: root, source: source, emit: serial(emit)}
	paths := make(chan string, 256)
	go func() {
		defer close(paths)
		list(func(p string) bool {
			select {
			case paths <- p:
				return true
			case <-ctx.Done():
				return false
			}
		}, f.missed)
	}()
	var workers sync.WaitGroup
	for range s.opts.Jobs {
		workers.Go(func() {
			if err := f.work(ctx, paths); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	return f.result(ctx)
}

// A fileScan is what the workers of one scanFiles share.
type fileScan struct {
	s      *Scanner
	root   string
	source leak.Source
	emit   Emit

	mu    sync.Mutex
	tally Tally
}

func (f *fileScan) missed(sentence string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.missed("%s", sentence)
}

// result is the end of a scan: an error of emit is returned, an interruption
// is noted.
func (f *fileScan) result(ctx context.Context) (Tally, error) {
	cause := context.Cause(ctx)
	if cause == nil {
		return f.tally, nil
	}
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		f.tally.missed("%s: %s", f.root, reason(cause))
		return f.tally, nil
	}
	return f.tally, cause
}

// work scans files until there are no more. It returns an error of emit only.
func (f *fileScan) work(ctx context.Context, paths <-chan string) error {
	w := f.s.newWindow()
	var files, bytes int64
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.tally.Files += files
		f.tally.Bytes += bytes
	}()
	for path := range paths {
		if ctx.Err() != nil {
			return nil
		}
		hits, n, err := f.scan(ctx, w, path)
		if err != nil && ctx.Err() == nil {
			f.missed(reason(err))
		}
		if err == nil || n > 0 {
			files++
			bytes += n
		}
		place := leak.Place{Source: f.source, Path: filepath.ToSlash(path)}
		for _, h := range hits {
			if err := f.emit(f.s.candidate(h, place)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scan reads one file.
func (f *fileScan) scan(ctx context.Context, w *window, path string) ([]hit, int64, error) {
	file, err := os.Open(filepath.Join(f.root, path))
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	if max := f.s.opts.MaxBlob; max > 0 {
		if info, err := file.Stat(); err == nil && info.Size() > max {
			return nil, 0, &tooLargeError{path, info.Size(), max}
		}
	}
	return w.all(ctx, file)
}
