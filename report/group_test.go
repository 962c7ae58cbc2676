package report_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/report"
)

// shape is what a finding is, without its Secret, which cannot be compared.
type shape struct {
	print      string
	format     string
	confidence leak.Confidence
	places     []leak.Place
}

func shapes(fs []report.Finding) []shape {
	var out []shape
	for _, f := range fs {
		out = append(out, shape{f.Secret.Fingerprint(), f.Format.ID, f.Confidence, f.Places})
	}
	return out
}

func TestGroupDoesNotDependOnOrder(t *testing.T) {
	candidates := sample()
	want := shapes(report.Group(candidates))
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
		if got := shapes(report.Group(candidates)); !reflect.DeepEqual(got, want) {
			t.Fatalf("another order gives\n%+v\nwant\n%+v", got, want)
		}
	}
}

func TestGroupMergesTokens(t *testing.T) {
	fs := report.Group(sample())
	if len(fs) != 3 {
		t.Fatalf("%d findings, want 3", len(fs))
	}
	if n := len(fs[0].Places); n != 4 {
		t.Errorf("%d places, want 4: a place given twice counts once", n)
	}
	if c := fs[2].Confidence; c != leak.Possible {
		t.Errorf("confidence %v, want the best, possible", c)
	}
}

func TestGroupKeepsFormatsApart(t *testing.T) {
	s := leak.NewSecret(token(5, 40))
	p := place(1, "a", 1, "A", time.Hour)
	fs := report.Group([]leak.Candidate{
		{Format: slack, Confidence: leak.Likely, Secret: s, Place: p},
		{Format: azure, Confidence: leak.Likely, Secret: s, Place: p},
		{Format: azure, Confidence: leak.Likely, Secret: leak.NewSecret(token(5, 40)), Place: p},
	})
	if len(fs) != 2 || fs[0].Format.ID != azure.ID || fs[1].Format.ID != slack.ID {
		t.Errorf("got %+v", shapes(fs))
	}
}

func TestGroupOrdersPlaces(t *testing.T) {
	s := leak.NewSecret(token(5, 40))
	at := func(source leak.Source, age time.Duration, path string) leak.Candidate {
		p := place(1, path, 1, "A", age)
		p.Source = source
		return leak.Candidate{Format: azure, Confidence: leak.Likely, Secret: s, Place: p}
	}
	fs := report.Group([]leak.Candidate{
		at(leak.Unreachable, 9*day, "7"), at("else", 9*day, "8"), at(leak.Stream, 0, "6"), at(leak.File, 0, "5"),
		at(leak.WorkTree, 0, "4"), at(leak.Staged, 0, "3"), at(leak.History, day, "2b"),
		at(leak.History, day, "2a"), at(leak.History, 8*day, "1"),
	})
	got := ""
	for _, p := range fs[0].Places {
		got += p.Path + " "
	}
	if want := "1 2a 2b 3 4 5 6 7 8 "; got != want {
		t.Errorf("places in order %s, want %s", got, want)
	}
}

func TestGroupOrdersFindings(t *testing.T) {
	seed := uint64(0)
	of := func(c leak.Confidence, age time.Duration, path string) leak.Candidate {
		seed++
		p := place(1, path, 1, "A", age)
		if age == 0 {
			p.Time = time.Time{}
		}
		return leak.Candidate{Format: azure, Confidence: c, Secret: leak.NewSecret(token(seed, 40)), Place: p}
	}
	fs := report.Group([]leak.Candidate{
		of(leak.Unverified, day, "7"), of(leak.Possible, day, "6"), of(leak.Verified, 9*day, "3"),
		of(leak.Verified, day, "2b"), of(leak.Verified, day, "2a"), of(leak.Verified, 0, "1"), of(leak.Likely, 0, "4"),
	})
	got := ""
	for _, f := range fs {
		got += f.Places[0].Path + " "
	}
	if want := "1 2a 2b 3 4 6 7 "; got != want {
		t.Errorf("findings in order %s, want %s", got, want)
	}
}

func TestGroupOfNothing(t *testing.T) {
	if fs := report.Group(nil); len(fs) != 0 {
		t.Errorf("got %d findings", len(fs))
	}
}
