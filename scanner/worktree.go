package scanner

import (
	"context"
	"fmt"
	"path/filepath"

	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
)

// WorkTree scans the files of the repository's work tree that are modified, or
// not tracked and not ignored. A bare repository has none.
func (s *Scanner) WorkTree(ctx context.Context, repo *history.Repository, emit Emit) (Tally, error) {
	if repo.WorkTree() == "" {
		return Tally{}, nil
	}
	paths, problems, err := repo.ChangedFiles(ctx)
	if err != nil {
		return Tally{}, fmt.Errorf("comparing the work tree with the index: %w", err)
	}
	t, err := s.scanFiles(ctx, repo.WorkTree(), inRepository(repo, emit), leak.WorkTree,
		func(give func(string) bool, _ func(string)) {
			for _, p := range paths {
				if !give(filepath.FromSlash(p)) {
					return
				}
			}
		})
	for _, p := range problems {
		t.missed("%s", p)
	}
	return t, err
}

// Staged scans what is about to be committed: the files of the index that
// differ from HEAD. A token that HEAD already has in the same file is not
// reported again.
func (s *Scanner) Staged(ctx context.Context, repo *history.Repository, emit Emit) (Tally, error) {
	var t Tally
	files, err := repo.Staged(ctx)
	if err != nil {
		return t, fmt.Errorf("comparing the index with HEAD: %w", err)
	}
	v := vault{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			t.missed("%s: %s", repo.Path(), reason(err))
			return t, nil
		}
		hits, n, err := s.blobHits(ctx, repo, v, f.Blob)
		if err != nil {
			t.missed("%s: %s", f.Path, reason(err))
			continue
		}
		t.Files, t.Bytes = t.Files+1, t.Bytes+n
		if err := s.emitStaged(ctx, repo, v, f, hits, emit); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (s *Scanner) emitStaged(ctx context.Context, repo *history.Repository, v vault, f history.StagedFile, hits []hit, emit Emit) error {
	had := map[string]bool{}
	if len(hits) > 0 && !f.Head.IsZero() {
		old, _, err := s.blobHits(ctx, repo, v, f.Head)
		if err == nil { // when HEAD's version cannot be read, report too much rather than too little
			for _, h := range old {
				had[h.secret.Fingerprint()] = true
			}
		}
	}
	for _, h := range hits {
		if had[h.secret.Fingerprint()] {
			continue
		}
		p := leak.Place{Repository: repo.Path(), Source: leak.Staged, Path: f.Path, Object: f.Blob.String()}
		if err := emit(s.candidate(h, p)); err != nil {
			return err
		}
	}
	return nil
}

// blobHits reads one blob and finds what stands in it.
func (s *Scanner) blobHits(ctx context.Context, repo *history.Repository, v vault, id pack.ID) ([]hit, int64, error) {
	data, err := repo.ReadBlob(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if max := s.opts.MaxBlob; max > 0 && int64(len(data)) > max {
		return nil, 0, &tooLargeError{"blob " + id.String(), int64(len(data)), max}
	}
	ms := s.matcher.Find(nil, data)
	return v.hits(data, s.matcher.Resolve(ms)), int64(len(data)), nil
}

// inRepository puts the repository's name on each place.
func inRepository(repo *history.Repository, emit Emit) Emit {
	return func(c leak.Candidate) error {
		c.Place.Repository = repo.Path()
		return emit(c)
	}
}
