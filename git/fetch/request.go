package fetch

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"sync"
)

// Request is one fetch: the objects that the wants reach and the haves do not.
// Done must be set only when the server is known to have all of the haves, or
// when there are none: else its answer is the whole history.
type Request struct {
	Repository string   // "owner/name"
	Want       []string // object names
	Have       []string
	Done       bool
	BlobLimit  int64 // bytes; larger blobs are left out by the server; 0: none
}

// Answer is the server's answer to a [Request].
type Answer struct {
	Packed bool     // a pack came; without one the server wants to negotiate on
	Acked  []string // the haves that the server knows; none when Request.Done was set
	Pack   []byte   // a packfile, or its start; valid until Release
	Missed *Missed  // nil: all of the pack came
	s      *session
}

// Release gives the memory of the pack back. It may be called more than once.
func (a *Answer) Release() { a.s.release() }

// Fetch sends one request. What arrived before a bound was met or the
// connection was lost is in the Answer, and Missed says so; an error means that
// no pack began.
func (c *Client) Fetch(ctx context.Context, r Request) (*Answer, error) {
	s := c.session(0)
	a, err := s.fetch(ctx, r)
	if err != nil {
		s.release()
		return nil, fmt.Errorf("fetching %s: %w", r.Repository, err)
	}
	out := &Answer{Packed: a.packed, Acked: a.acked, Pack: a.pack, s: s}
	if a.reason != "" {
		out.Missed = &Missed{Reason: a.reason, Detail: a.detail}
	}
	return out, nil
}

// body is the request in pkt-lines.
func (r *Request) body(agent string) []byte {
	format := "sha1"
	if idSize(r.Want) == sha256.Size {
		format = "sha256"
	}
	b := appendLine(nil, "command=fetch")
	b = appendLine(b, "agent="+agent)
	b = appendLine(b, "object-format="+format)
	b = append(b, delimPacket...)
	b = appendLine(b, "no-progress")
	b = appendLine(b, "ofs-delta")
	if r.BlobLimit > 0 {
		b = appendLine(b, fmt.Sprintf("filter blob:limit=%d", r.BlobLimit))
	}
	for _, id := range r.Want {
		b = appendLine(b, "want "+id)
	}
	for _, id := range r.Have {
		b = appendLine(b, "have "+id)
	}
	if r.Done {
		b = appendLine(b, "done")
	}
	return append(b, flushPacket...)
}

// idSize is the number of bytes of the names.
func idSize(ids []string) int {
	if len(ids) > 0 && len(ids[0]) == 2*sha256.Size {
		return sha256.Size
	}
	return sha1.Size
}

// A session is what the requests of one push share: how much memory their packs
// may take, and the packs.
type session struct {
	c     *Client
	left  int64 // bytes that the packs may still have
	taken int64
	large bool // it holds one of Client.large
	packs [][]byte
	once  sync.Once
}

// session begins one with a bound on bytes; 0: the client's.
func (c *Client) session(most int64) *session {
	if most <= 0 {
		most = c.o.MaxBytes
	}
	return &session{c: c, left: most}
}

// release gives back all memory.
func (s *session) release() {
	s.once.Do(func() {
		if s.large {
			<-s.c.large
		}
		for _, b := range s.packs {
			s.c.recycle(b)
		}
		s.packs = nil
	})
}

// recycle keeps a buffer for later, if it is worth it.
func (c *Client) recycle(b []byte) {
	if cap(b) == 0 || cap(b) > keptSize {
		return
	}
	select {
	case c.buffers <- b[:0]:
	default:
	}
}

func (c *Client) buffer() []byte {
	select {
	case b := <-c.buffers:
		return b
	default:
		return make([]byte, 0, 64<<10)
	}
}

// fetch sends a request and holds what came back. An error means that no pack
// began.
func (s *session) fetch(ctx context.Context, r Request) (*answer, error) {
	if err := check(r.Repository, append(r.Want[:len(r.Want):len(r.Want)], r.Have...)...); err != nil {
		return nil, err
	}
	if len(r.Want) == 0 {
		return nil, fmt.Errorf("%w: nothing is wanted", ErrName)
	}
	a := &answer{}
	var ended error
	pack := s.c.buffer()
	err := s.c.post(ctx, r.Repository, r.body(s.c.agent()), func(p *packetReader, w *watch) (err error) {
		err, ended = a.read(p, func(b []byte) (err error) {
			if b == nil {
				w.floor.Store(s.c.o.Floor)
			}
			pack, err = s.keep(ctx, pack, b)
			return err
		})
		if err == nil {
			return ended // post says why it was ended
		}
		return err
	})
	if !a.packed || ctx.Err() != nil {
		s.c.recycle(pack)
		if err == nil {
			err = ctx.Err()
		}
		return a, err
	}
	a.pack = pack
	s.packs = append(s.packs, pack)
	a.finish(err, idSize(r.Want))
	return a, nil
}

// keep appends a piece of a pack, or as much of it as is allowed. A push that
// needs much memory waits for its turn first.
func (s *session) keep(ctx context.Context, pack, piece []byte) ([]byte, error) {
	var full error
	if int64(len(piece)) > s.left {
		piece, full = piece[:s.left], errBound
	}
	s.left -= int64(len(piece))
	s.taken += int64(len(piece))
	if s.taken > smallPack && !s.large {
		select {
		case s.c.large <- struct{}{}:
			s.large = true
		case <-ctx.Done():
			return pack, ctx.Err()
		}
	}
	return append(pack, piece...), full
}
