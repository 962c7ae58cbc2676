package fetch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacketReader(t *testing.T) {
	long := "fff0" + strings.Repeat("x", maxPacket-4)
	cases := []struct {
		name, in string
		kind     packetKind
		line     string
		err      error
	}{
		{"line", "0006a\n", data, "a\n", nil},
		{"empty line", "0004", data, "", nil},
		{"flush", "0000", flush, "", nil},
		{"delim", "0001", delim, "", nil},
		{"response end", "0002", responseEnd, "", nil},
		{"longest", long, data, long[4:], nil},
		{"three", "0003", 0, "", errPacket},
		{"too long", "fff1", 0, "", errPacket},
		{"not hex", "00g0", 0, "", errPacket},
		{"sign", "+006ab", 0, "", errPacket},
		{"end", "", 0, "", io.EOF},
		{"cut in length", "00", 0, "", io.ErrUnexpectedEOF},
		{"cut in line", "0008ab", data, "ab", io.ErrUnexpectedEOF},
		{"cut before line", "0008", data, "", io.ErrUnexpectedEOF},
	}
	for _, c := range cases {
		kind, line, err := newPacketReader(strings.NewReader(c.in)).next()
		if kind != c.kind || string(line) != c.line || !errors.Is(err, c.err) {
			t.Errorf("%s: %d %.20q %v", c.name, kind, line, err)
		}
	}
}

// reply makes pkt-lines of texts; those of a kind that is no line stand as they are.
func reply(lines ...string) string {
	var b []byte
	for _, l := range lines {
		switch l {
		case flushPacket, delimPacket, "0002":
			b = append(b, l...)
		default:
			b = appendLine(b, l)
		}
	}
	return string(b)
}

func TestAnswers(t *testing.T) {
	ack := "ACK " + strings.Repeat("a", 40)
	cases := []struct {
		name, in   string
		acked      int
		pack       string
		err, ended error
	}{
		{"nak", reply("acknowledgments", "NAK", flushPacket), 0, "", nil, nil},
		{"ack", reply("acknowledgments", ack, flushPacket), 1, "", nil, nil},
		{"pack", reply("acknowledgments", ack, "ready", delimPacket, "packfile", "\x01PA", "\x02hi", "\x01CK", flushPacket), 1, "PA\nCK\n", nil, nil},
		{"shallow", reply("shallow-info", "shallow x", delimPacket, "packfile", "\x01P", flushPacket), 0, "P\n", nil, nil},
		{"response end", reply("packfile", "\x01P", "0002"), 0, "P\n", nil, nil},
		{"no end", reply("packfile", "\x01P"), 0, "P\n", nil, io.ErrUnexpectedEOF},
		{"half a packet", reply("packfile") + "0010\x01abc", 0, "abc", nil, io.ErrUnexpectedEOF},
		{"unknown band", reply("packfile", "\x04P", flushPacket), 0, "", nil, errPacket},
		{"delim in pack", reply("packfile", delimPacket), 0, "", nil, errPacket},
		{"empty", "", 0, "", ErrProtocol, nil},
		{"rubbish", "<html>", 0, "", ErrProtocol, nil},
		{"unknown section", reply("packfile-uris", flushPacket), 0, "", ErrProtocol, nil},
		{"flush first", flushPacket, 0, "", ErrProtocol, nil},
		{"missing", reply("ERR upload-pack: not our ref 1234"), 0, "", ErrMissing, nil},
		{"format", reply("ERR mismatched object format: client sha1; server sha256"), 0, "", ErrUnsupported, nil},
		{"not exported", reply("ERR access denied or repository not exported: /x"), 0, "", ErrGone, nil},
		{"other", reply("ERR what\x1b[31m"), 0, "", ErrProtocol, nil},
		{"cut in acks", reply("acknowledgments", ack), 1, "", io.EOF, nil},
		{"too many acks", reply("acknowledgments") + strings.Repeat(reply("NAK"), maxAcks+1), 0, "", ErrProtocol, nil},
		{"too much progress", reply("packfile") + strings.Repeat(reply("\x02"+strings.Repeat("x", 60_000)), 100), 0, "", nil, errBound},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var a answer
			var pack []byte
			err, ended := a.read(newPacketReader(strings.NewReader(c.in)), func(b []byte) error { pack = append(pack, b...); return nil })
			if !errors.Is(err, c.err) || !errors.Is(ended, c.ended) || len(a.acked) != c.acked || string(pack) != c.pack {
				t.Errorf("%v, %v, %d acked, pack %q", err, ended, len(a.acked), pack)
			}
			if err != nil && strings.Contains(err.Error(), "\x1b") {
				t.Error("a control character of the server is in the error")
			}
		})
	}
}

func TestFatalMessageOfTheServer(t *testing.T) {
	var a answer
	_, ended := a.read(newPacketReader(strings.NewReader(reply("packfile", "\x01P", "\x03out of memory"))), func([]byte) error { return nil })
	a.finish(ended, 20)
	if a.reason != CutOff || !strings.Contains(a.detail, "out of memory") {
		t.Errorf("%s: %s", a.reason, a.detail)
	}
}

func TestWrongChecksum(t *testing.T) {
	a := answer{pack: append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"), make([]byte, 20)...)}
	if a.finish(nil, 20); a.reason != Corrupt {
		t.Errorf("%q, want corrupt", a.reason)
	}
}

func TestRefsOfStrangers(t *testing.T) {
	id := strings.Repeat("a", 40)
	var r Refs
	r.IDs = map[string]string{}
	err := r.read(newPacketReader(strings.NewReader(reply(
		id+" HEAD symref-target:refs/heads/main", id+" refs/heads/main", "unborn refs/heads/x", "zz refs/heads/y", id+" ../x", id, id+" refs/heads/a\x01b", flushPacket))))
	if err != nil || r.Default != "refs/heads/main" || len(r.IDs) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	r = Refs{IDs: map[string]string{}}
	line := reply(id + " refs/heads/" + strings.Repeat("x", 1000))
	err = r.read(newPacketReader(strings.NewReader(strings.Repeat(line, 17_000) + flushPacket)))
	if err != nil || !r.Cut {
		t.Errorf("cut %v, %v", r.Cut, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(reply("acknowledgments", "ACK "+strings.Repeat("a", 40), "ready", delimPacket, "packfile", "\x01PACK", flushPacket)))
	f.Add([]byte(reply("ERR upload-pack: not our ref x")))
	f.Add([]byte(reply(strings.Repeat("a", 40)+" HEAD symref-target:refs/heads/main", flushPacket)))
	f.Fuzz(func(t *testing.T, in []byte) {
		var a answer
		kept := 0
		err, ended := a.read(newPacketReader(bytes.NewReader(in)), func(b []byte) error { kept += len(b); return nil })
		if kept > len(in) || err != nil && (ended != nil || kept > 0) {
			t.Fatalf("%d bytes of %d, %v, %v", kept, len(in), err, ended)
		}
		r := Refs{IDs: map[string]string{}}
		_ = r.read(newPacketReader(bytes.NewReader(in)))
		for ref, id := range r.IDs {
			if !ValidObject(id) || ref != "HEAD" && !ValidRef(ref) {
				t.Fatalf("%q is %q", ref, id)
			}
		}
	})
}

func TestLimiterRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterOptions{Concurrency: 100, PerSecond: 10, Burst: 5})
		start := time.Now()
		for range 15 {
			release, err := l.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("15 requests took %s, want 1 s", took)
		}
	})
}

func TestLimiterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterOptions{})
		l.Pause(2 * time.Second)
		start := time.Now()
		release, err := l.Acquire(t.Context())
		if err != nil || time.Since(start) != 2*time.Second {
			t.Fatalf("after %s: %v", time.Since(start), err)
		}
		release()
		l.Pause(time.Hour) // no host stops us for longer than the longest pause
		var throttled *Throttled
		if _, err := l.Acquire(t.Context()); !errors.As(err, &throttled) || throttled.RetryAfter != maxPause {
			t.Errorf("%v, want a pause of %s", err, maxPause)
		}
		time.Sleep(maxPause)
		first, second := l.Pause(0), l.Pause(0)
		l.Answered()
		if third := l.Pause(0); first < defaultPause || second < 2*defaultPause && second <= first || third > second {
			t.Errorf("pauses of %s, %s and %s", first, second, third)
		}
	})
}

func TestLimiterConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterOptions{Concurrency: 1})
		release, err := l.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan struct{})
		go func() {
			if next, err := l.Acquire(t.Context()); err == nil {
				next()
			}
			close(got)
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("two at once")
		default:
		}
		release()
		release()
		<-got
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "7": 7 * time.Second, "Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": time.Second,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}
