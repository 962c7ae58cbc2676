package detectors

import (
	"reflect"
	"slices"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 2},
		{"kitten", "sitting", 3}, {"patern", "pattern", 1}, {"tier", "tire", 2}, {"flaw", "lawn", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if distance(c.a, c.b) != distance(c.b, c.a) {
			t.Errorf("%q, %q: not the same the other way round", c.a, c.b)
		}
	}
}

func TestTOMLKeys(t *testing.T) {
	type inner struct {
		Deep string `toml:"deep,omitempty"`
	}
	type outer struct {
		Name    string `toml:"name"`
		Skipped string `toml:"-"`
		Bare    string
		In      inner    `toml:"in"`
		Many    []inner  `toml:"many"`
		Pointer *inner   `toml:"pointer"`
		List    []string `toml:"list"`
	}
	want := []string{"deep", "in", "list", "many", "name", "pointer"}
	if got := tomlKeys(reflect.TypeFor[*outer](), nil); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := tomlKeys(reflect.TypeFor[string](), nil); len(got) != 0 {
		t.Errorf("of a string: %v", got)
	}
}

func TestNearest(t *testing.T) {
	for wrong, want := range map[string]string{
		"patern": "pattern", "Tier": "tier", "maxlength": "max_length", "seed": "seeds", "": "at",
	} {
		if got := nearest([]string{"format", wrong}, &document{}); got != want {
			t.Errorf("%q: %q, want %q", wrong, got, want)
		}
	}
	if got := nearest(nil, &document{}); got != "" {
		t.Errorf("of no key: %q", got)
	}
}

func TestOrList(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, ""}, {[]string{"a"}, "a"}, {[]string{"a", "b"}, "a or b"}, {[]string{"a", "b", "c"}, "a, b or c"},
	} {
		if got := orList(c.words); got != c.want {
			t.Errorf("%v: %q, want %q", c.words, got, c.want)
		}
	}
}

func TestKeysOf(t *testing.T) {
	if got := keysOf(map[string]int{"b": 1, "a": 2, "c": 3}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
	if got := keysOf(map[string]int(nil)); len(got) != 0 {
		t.Errorf("of no map: %v", got)
	}
}
