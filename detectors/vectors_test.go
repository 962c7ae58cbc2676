package detectors

import (
	"testing"
)

// judgeAll prepares f and returns its verdict.
func verdict(t *testing.T, f *Format, token []byte) (Grade, bool) {
	t.Helper()
	if err := f.prepare(); err != nil {
		t.Fatalf("%s: %v", f.ID, err)
	}
	return f.judge(token, false)
}

func TestVectors(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range formats {
		f := &formats[i]
		for j, v := range f.Vectors {
			n++
			token, err := v.Token()
			if err != nil {
				t.Fatalf("%s: vector %d: %v", f.ID, j, err)
			}
			got, ok := verdict(t, f, token)
			want := f.Tier.grade()
			if f.ID == "supabase-secret-key" { // a hosted project's, whose name the token does not tell
				want = Likely
			}
			if v.Valid && (!ok || got < want) {
				t.Errorf("%s: vector %d (%s): %v, %v; want %v", f.ID, j, v.Origin, got, ok, want)
			}
			if !v.Valid && ok && got >= want {
				t.Errorf("%s: vector %d (%s): %v; must not count in full", f.ID, j, v.Origin, got)
			}
		}
	}
	t.Logf("%d formats, %d vectors", len(formats), n)
}

// TestVectorsAreFound runs every vector through a matcher of its format, as
// "patwatch formats check" does.
func TestVectorsAreFound(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		for i, v := range f.Vectors {
			if err := CheckVector(f, v); err != nil {
				t.Errorf("%s, vector %d: %v", f.ID, i+1, err)
			}
		}
	}
}

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := Builtin(); err != nil {
			b.Fatal(err)
		}
	}
}
