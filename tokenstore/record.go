package tokenstore

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"patwatch/leak"
)

// record is a token as an issuer exports it (docs/design.md §9).
type record struct {
	SHA256          string `json:"sha256"`
	HMAC            string `json:"hmac"`
	PepperVersion   int    `json:"pepper_version"`
	AuthorizationID string `json:"authorization_id"`
	OwnerID         string `json:"owner_id"`
	OwnerName       string `json:"owner_name"`
	OwnerMail       string `json:"owner_mail"`
	Organization    string `json:"organization"`
	DisplayName     string `json:"display_name"`
	Scopes          string `json:"scopes"`
	ValidFrom       string `json:"valid_from"`
	ValidTo         string `json:"valid_to"`
	State           string `json:"state"`
}

const (
	maxLine  = 64 << 10 // bytes of one record
	maxField = 2 << 10  // bytes of one field
)

// errLong is the reason of a line that is not even parsed.
var errLong = fmt.Errorf("the line is longer than %d bytes", maxLine)

// parseJSON reads one line. Its error never quotes it.
func parseJSON(line []byte) (r record, err error) {
	if err := json.Unmarshal(line, &r); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return r, fmt.Errorf("%s has the wrong type", wrong.Field)
		}
		return r, errors.New("it is no JSON object")
	}
	return r, nil
}

// A table reads the lines of a CSV file by the names in its first.
type table struct{ fields []int } // of each column: the field of record, -1 for none

// newTable reads the first line. Names it does not know are passed over.
func newTable(names []string) (*table, error) {
	known := map[string]int{}
	for i, f := range reflect.VisibleFields(reflect.TypeFor[record]()) {
		known[f.Tag.Get("json")] = i
	}
	t := &table{}
	seen := map[string]bool{}
	for _, name := range names {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		i, ok := known[name]
		if !ok {
			i = -1
		} else if seen[name] {
			return nil, fmt.Errorf("the column %s is there twice", name)
		}
		seen[name] = true
		t.fields = append(t.fields, i)
	}
	if !seen["authorization_id"] || !seen["sha256"] && !seen["hmac"] {
		return nil, errors.New("the first line must name the columns, authorization_id and sha256 or hmac among them")
	}
	return t, nil
}

func (t *table) parse(cells []string) (r record, err error) {
	if len(cells) != len(t.fields) {
		return r, fmt.Errorf("it has %d columns, and the first line %d", len(cells), len(t.fields))
	}
	v := reflect.ValueOf(&r).Elem()
	for i, cell := range cells {
		if t.fields[i] < 0 {
			continue
		}
		f := v.Field(t.fields[i])
		if f.Kind() == reflect.String {
			f.SetString(cell)
			continue
		}
		if cell == "" {
			continue
		}
		n, err := strconv.Atoi(cell)
		if err != nil {
			return r, errors.New("pepper_version is not a number")
		}
		f.SetInt(int64(n))
	}
	return r, nil
}

// token checks a record. Its error names the field and never quotes it.
func (r *record) token(keys *leak.Keyring) (t leak.Token, err error) {
	t = leak.Token{AuthorizationID: r.AuthorizationID, Owner: leak.Owner{ID: r.OwnerID, Name: r.OwnerName, Mail: r.OwnerMail},
		Organization: r.Organization, DisplayName: r.DisplayName, Scopes: r.Scopes, State: leak.TokenState(r.State)}
	if err := r.checkText(); err != nil {
		return t, err
	}
	switch t.State {
	case "":
		t.State = leak.TokenActive
	case leak.TokenActive, leak.TokenRevoked:
	default:
		return t, errors.New("state is neither active nor revoked")
	}
	if t.ValidFrom, err = parseTime("valid_from", r.ValidFrom); err != nil {
		return t, err
	}
	if t.ValidTo, err = parseTime("valid_to", r.ValidTo); err != nil {
		return t, err
	}
	t.Digest, err = r.digest(keys)
	return t, err
}

func (r *record) checkText() error {
	if r.AuthorizationID == "" {
		return errors.New("authorization_id is missing")
	}
	for _, f := range []struct{ name, value string }{{"authorization_id", r.AuthorizationID}, {"owner_id", r.OwnerID},
		{"owner_name", r.OwnerName}, {"owner_mail", r.OwnerMail}, {"organization", r.Organization}, {"display_name", r.DisplayName}, {"scopes", r.Scopes}} {
		if len(f.value) > maxField || !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0) {
			return fmt.Errorf("%s is longer than %d bytes or no text", f.name, maxField)
		}
	}
	if r.OwnerMail != "" && !strings.Contains(r.OwnerMail, "@") {
		return errors.New("owner_mail is no mail address")
	}
	return nil
}

func parseTime(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 {
		return time.Time{}, fmt.Errorf("%s is no time of RFC 3339", name)
	}
	return t.UTC(), nil
}

func (r *record) digest(keys *leak.Keyring) (leak.Digest, error) {
	if (r.SHA256 == "") == (r.HMAC == "") {
		return leak.Digest{}, errors.New("one of sha256 and hmac must be there")
	}
	if r.SHA256 != "" {
		sum, ok := parseSum(r.SHA256)
		if !ok {
			return leak.Digest{}, errors.New("sha256 is not 32 bytes in hex or base64")
		}
		return keys.Of(sum), nil
	}
	sum, ok := parseSum(r.HMAC)
	if !ok {
		return leak.Digest{}, errors.New("hmac is not 32 bytes in hex or base64")
	}
	if !keys.Has(r.PepperVersion) {
		return leak.Digest{}, fmt.Errorf("pepper_version %d is not in the pepper file", r.PepperVersion)
	}
	return leak.Digest{Version: r.PepperVersion, Sum: sum}, nil
}

// parseSum reads 32 bytes in hex or base64, with or without padding, of either
// alphabet.
func parseSum(s string) (sum [32]byte, ok bool) {
	if len(s) == 64 {
		n, err := hex.Decode(sum[:], []byte(s))
		return sum, err == nil && n == 32
	}
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if len(s) != 43 {
		return sum, false
	}
	var room [33]byte
	n, err := base64.RawStdEncoding.Decode(room[:], []byte(s))
	return [32]byte(room[:32]), err == nil && n == 32
}
