package notifier

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/mail"
	"slices"
	"strings"
	"text/template"
	"time"

	"patwatch/leak"
)

// What of a long list is written out.
const (
	maxDetailed = 20  // items
	maxBrief    = 200 // items after those, a line each
	maxPlaces   = 5   // of an item
	maxName     = 100 // runes of a name
	maxPath     = 200 // runes of a path
)

//go:embed mail.txt.tmpl mail.html.tmpl
var templates embed.FS

// The templates, parsed.
var (
	textTemplate = template.Must(template.ParseFS(templates, "mail.txt.tmpl"))
	htmlTemplate = htmltemplate.Must(htmltemplate.ParseFS(templates, "mail.html.tmpl"))
)

// Render writes the mail of a notice. It is pure: the same notice gives the same
// bytes. A notice without an item, sender, recipient or Message-ID, or with an
// address that is none, is an error.
func Render(n Notice) (Message, error) {
	if len(n.Items) == 0 || len(n.To) == 0 || n.MessageID == "" {
		return Message{}, errors.New("a notice needs an item, a recipient and a Message-ID")
	}
	from, err := mail.ParseAddress(n.From)
	if err != nil {
		return Message{}, errors.New("the sender of a notice is not a mail address")
	}
	page := newPage(n, from.Address)
	m := Message{
		ID: n.ID, MessageID: n.MessageID, References: n.References,
		From: n.From, To: n.To, Date: n.Date, Subject: page.Subject,
	}
	var text, html bytes.Buffer
	if err := textTemplate.Execute(&text, page); err != nil {
		return Message{}, fmt.Errorf("writing the text of a mail: %w", err)
	}
	if err := htmlTemplate.Execute(&html, page); err != nil {
		return Message{}, fmt.Errorf("writing the HTML of a mail: %w", err)
	}
	m.Text, m.HTML = strings.ReplaceAll(text.String(), "\r", ""), strings.ReplaceAll(html.String(), "\r", "")
	return m, nil
}

// A page is what the templates show. Its strings are clean.
type page struct {
	Subject   string
	Tone      string // "bad", "good": the colour of the first lines
	Lead      []line // three
	Items     []item
	Brief     []string // items a line each
	More      int      // items not listed
	Todo      []line
	Unknown   []string
	Contact   string
	ReviewURL string
	ID        string
	Admins    bool
}

// A line is a sentence; when it has an address, its text leads there and the
// rest comes after it.
type line struct{ Text, URL, Rest string }

// An item is one token on a page.
type item struct {
	Title  string
	Status string
	Facts  []fact
	Places []place
	More   int // places not listed
	Refs   string
}

type fact struct{ Name, Value string }

type place struct {
	Where, When, URL string
}

func newPage(n Notice, contact string) page {
	head := n.Items[0]
	p := page{
		Contact: clean(contact, maxName), ID: clean(n.ID, maxName), ReviewURL: link(n.ReviewURL),
		Admins: head.Kind == Escalation, Tone: "bad",
	}
	for i, it := range n.Items {
		switch {
		case i < maxDetailed:
			p.Items = append(p.Items, newItem(it, len(n.Items) > 1))
		case i < maxDetailed+maxBrief:
			p.Brief = append(p.Brief, named(it)+", case "+clean(it.Case, maxName))
		default:
			p.More++
		}
	}
	live := 0
	for _, it := range n.Items {
		if threat(it) {
			live++
		}
	}
	if live == 0 {
		p.Tone = "good"
	}
	if len(n.Items) == 1 {
		p.Subject, p.Lead = single(head)
	} else {
		p.Subject, p.Lead = several(n.Items, live)
	}
	p.Todo = todo(head, p.Admins, live, len(n.Items))
	p.Unknown = unknown()
	return p
}

// threat says whether a token may still work.
func threat(it Item) bool {
	return it.RevokedAt.IsZero() && it.Token.State != leak.TokenRevoked && it.Token.State != leak.TokenExpired
}

// named is a token as its owner knows it.
func named(it Item) string {
	name := `"` + or(clean(it.Token.DisplayName, 60), "without a name") + `"`
	if last := lastFour(it); last != "" {
		name += " (ends in " + last + ")"
	}
	return name
}

func lastFour(it Item) string {
	for _, s := range it.Sightings {
		if s.LastFour != "" {
			return clean(s.LastFour, 4)
		}
	}
	return ""
}

func newItem(it Item, titled bool) item {
	out := item{Status: status(it), Facts: facts(it)}
	if titled { // it has name and last characters
		out.Title, out.Facts = named(it), slices.DeleteFunc(out.Facts, func(f fact) bool { return f.Name == "Token" || f.Name == "Ends in" })
	}
	for i, s := range it.Sightings {
		if i == maxPlaces {
			out.More = len(it.Sightings) - maxPlaces
			break
		}
		out.Places = append(out.Places, newPlace(s))
	}
	out.Refs = "case " + clean(it.Case, maxName)
	if it.Correlation != "" {
		out.Refs += ", audit events " + clean(it.Correlation, maxName)
	}
	return out
}

func facts(it Item) []fact {
	t := it.Token
	all := []fact{
		{"Token", or(clean(t.DisplayName, maxName), "without a name")},
		{"Ends in", lastFour(it)},
		{"Kind", clean(formatName(it), maxName)},
		{"Organization", clean(t.Organization, maxName)},
		{"Owner", owner(it)},
		{"Scopes", clean(t.Scopes, 400)},
		{"Created", moment(t.ValidFrom)},
		{"Valid to", or(moment(t.ValidTo), "no end")},
	}
	var out []fact
	for _, f := range all {
		if f.Value != "" && (f.Name != "Owner" || it.Kind == Escalation) {
			out = append(out, f)
		}
	}
	return out
}

// formatName is what kind of token it is.
func formatName(it Item) string {
	if len(it.Sightings) == 0 {
		return ""
	}
	return it.Sightings[0].FormatName
}

func owner(it Item) string {
	name, address := clean(it.Token.Name, maxName), clean(it.Token.Mail, maxName)
	if name == "" || address == "" {
		return name + address
	}
	return name + ", " + address
}

func newPlace(s leak.Sighting) place {
	p := s.Place
	where := or(clean(p.Repository, maxName), "a public repository")
	if p.Path != "" {
		where += ", " + clean(p.Path, maxPath)
	}
	if p.Line > 0 {
		where += fmt.Sprintf(", line %d", p.Line)
	}
	if p.Commit != "" {
		where += ", commit " + first(clean(p.Commit, maxName), 10)
	}
	var when []string
	if t := moment(s.Push.PushedAt); t != "" {
		when = append(when, "pushed "+t)
	}
	if t := moment(s.Push.SeenAt); t != "" {
		when = append(when, "seen "+t)
	}
	return place{where, strings.Join(when, ", "), link(p.URL)}
}

// first returns the first n runes of s.
func first(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

// moment is a time for people, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006 15:04 UTC")
}
