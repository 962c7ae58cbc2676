package fetch

import (
	"bytes"
	"context"
	"errors"

	"patwatch/git/pack"
)

var errFollows = errors.New("it follows")

// maxCommitBytes is the largest commit that is looked at.
const maxCommitBytes = 1 << 20

// follows says whether one of the commits of a pack, which a server made of
// what a request wants and before has not, has before as its parent. If none
// has, then before is not an ancestor of what is wanted: the push was forced,
// even if the server said that it has enough to go by. It says so of any push
// that dropped a single commit, as "commit --amend" does.
func follows(ctx context.Context, p *pack.Pack, before string) bool {
	line := []byte("\nparent " + before + "\n")
	err := p.Walk(ctx, pack.WalkOptions{
		Kinds:   []pack.Kind{pack.Commit},
		MaxSize: maxCommitBytes,
		Visit: func(_ int, o *pack.Object) error {
			head, _, _ := bytes.Cut(o.Data, []byte("\n\n"))
			if bytes.Contains(append(head[:len(head):len(head)], '\n'), line) {
				return errFollows
			}
			return nil
		},
		Large: func(int, int, int64) {},
		Fail:  func(int, int, error) {},
	})
	return errors.Is(err, errFollows)
}
