package notifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/internal/standin"
	"patwatch/notifier"
)

func server(t *testing.T, o standin.MailOptions) *standin.Mail {
	t.Helper()
	s, err := standin.StartMail(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mailer(t *testing.T, o notifier.MailerOptions) *notifier.Mailer {
	t.Helper()
	m, err := notifier.NewMailer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func plain(t *testing.T, s *standin.Mail) *notifier.Mailer {
	return mailer(t, notifier.MailerOptions{Address: s.Address(), Mode: notifier.Plain, Timeout: 5 * time.Second})
}

func message(t *testing.T, change func(*notifier.Notice)) notifier.Message {
	t.Helper()
	n := samples()["leaked-after"]
	if change != nil {
		change(&n)
	}
	m, err := notifier.Render(n)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSendHeaders(t *testing.T) {
	s := server(t, standin.MailOptions{})
	msg := message(t, func(n *notifier.Notice) {
		n.References = []string{"pw-000123.notify.1@example.org", "pw-000123.remind.1@example.org"}
	})
	m := plain(t, s)
	for range 2 {
		if err := m.Send(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	letters := s.Letters()
	if len(letters) != 2 || sorted(letters[0].Data) != sorted(letters[1].Data) {
		t.Fatalf("%d letters; a mail that is sent again must have the same bytes", len(letters))
	}
	if letters[0].From != "security@example.org" || letters[0].To[0] != "ada@contoso.example" {
		t.Errorf("envelope %v", letters[0])
	}
	got, err := mail.ReadMessage(bytes.NewReader(letters[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Message-ID":                  "<pw-000123.notify.1@example.org>",
		"References":                  "<pw-000123.notify.1@example.org> <pw-000123.remind.1@example.org>",
		"In-Reply-To":                 "<pw-000123.remind.1@example.org>",
		"Auto-Submitted":              "auto-generated",
		"X-Auto-Response-Suppress":    "All",
		"X-Patwatch-Notification-Id":  "PW-000123/notify/1",
		"From":                        `"patwatch" <security@example.org>`,
		"To":                          "<ada@contoso.example>",
		"Date":                        "Mon, 01 Jun 2026 09:01:00 +0000",
		"Precedence":                  "",
		"X-Mailer":                    "",
		"Disposition-Notification-To": "",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	text, html := parts(t, got)
	if strings.ReplaceAll(text, "\r\n", "\n") != msg.Text || strings.ReplaceAll(html, "\r\n", "\n") != msg.HTML {
		t.Error("the parts are not what was rendered")
	}
}

// sorted returns the lines of a mail in an order that is always the same: that
// of the headers is not.
func sorted(data []byte) string {
	lines := strings.Split(string(data), "\r\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func parts(t *testing.T, m *mail.Message) (text, html string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var out [2]string
	for i := range out {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(data)
	}
	return out[0], out[1]
}

// TestNoHeaderFromOutside sends what strangers may write, and a subject and id
// that did not go through Render.
func TestNoHeaderFromOutside(t *testing.T) {
	s := server(t, standin.MailOptions{})
	n := samples()["hostile"]
	msg, err := notifier.Render(n)
	if err != nil {
		t.Fatal(err)
	}
	msg.Subject += "\r\nBcc: x@evil.example"
	msg.ID = "a\r\nX-Evil: 1"
	if err := plain(t, s).Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got, err := mail.ReadMessage(bytes.NewReader(s.Letters()[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	known := " Date Message-Id Mime-Version Auto-Submitted X-Auto-Response-Suppress X-Patwatch-Notification-Id Subject From To Content-Type "
	for name := range got.Header {
		if !strings.Contains(known, " "+name+" ") {
			t.Errorf("header %s", name)
		}
	}
	if len(s.Letters()[0].To) != 1 {
		t.Error("a recipient was added")
	}
}

func TestSendRefusesBadMessages(t *testing.T) {
	s := server(t, standin.MailOptions{})
	m := plain(t, s)
	for name, change := range map[string]func(*notifier.Message){
		"message id with a line":  func(m *notifier.Message) { m.MessageID = "a@b>\r\nBcc: c" },
		"reference with a line":   func(m *notifier.Message) { m.References = []string{"a b@c"} },
		"recipient with a line":   func(m *notifier.Message) { m.To = []string{"a@b.example\r\nBcc: c@d.example"} },
		"recipient is no address": func(m *notifier.Message) { m.To = []string{"nobody"} },
		"no recipient":            func(m *notifier.Message) { m.To = nil },
		"sender is no address":    func(m *notifier.Message) { m.From = "nobody" },
	} {
		msg := message(t, nil)
		change(&msg)
		var e *notifier.Error
		if err := m.Send(t.Context(), msg); !errors.As(err, &e) || !e.Permanent() || e.Unknown() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.Letters()) != 0 {
		t.Error("something was sent")
	}
}

// TestOutcomes holds what each way to fail counts as, and whether the mail was
// kept by the server.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name  string
		stage standin.MailStage
		fault standin.MailFault
		want  notifier.Outcome
		code  int
		kept  int
	}{
		{"no such user", standin.MailTo, standin.MailFault{Code: 550}, notifier.Permanent, 550, 0},
		{"greylisted", standin.MailTo, standin.MailFault{Code: 451}, notifier.Temporary, 451, 0},
		{"sender refused", standin.MailFrom, standin.MailFault{Code: 553}, notifier.Permanent, 553, 0},
		{"sender must authenticate", standin.MailFrom, standin.MailFault{Code: 530}, notifier.Temporary, 530, 0},
		{"busy", standin.MailFrom, standin.MailFault{Code: 421}, notifier.Temporary, 421, 0},
		{"content refused", standin.MailDot, standin.MailFault{Code: 554}, notifier.Permanent, 554, 0},
		{"disk full", standin.MailDot, standin.MailFault{Code: 452}, notifier.Temporary, 452, 0},
		{"cut before the content", standin.MailTo, standin.MailFault{Drop: true}, notifier.Temporary, 0, 0},
		{"cut after the dot, not kept", standin.MailDot, standin.MailFault{Drop: true}, notifier.Unknown, 0, 0},
		{"cut after the dot, kept", standin.MailDot, standin.MailFault{Drop: true, Keep: true}, notifier.Unknown, 0, 1},
		{"stall before the content", standin.MailTo, standin.MailFault{Stall: time.Hour}, notifier.Temporary, 0, 0},
		{"stall after the dot", standin.MailDot, standin.MailFault{Stall: time.Hour}, notifier.Unknown, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := server(t, standin.MailOptions{})
			s.SetFault(func(stage standin.MailStage, _ standin.Letter) standin.MailFault {
				if stage == c.stage {
					return c.fault
				}
				return standin.MailFault{}
			})
			m := mailer(t, notifier.MailerOptions{Address: s.Address(), Mode: notifier.Plain, Timeout: 400 * time.Millisecond})
			msg := message(t, nil)
			err := m.Send(t.Context(), msg)
			var e *notifier.Error
			if !errors.As(err, &e) || e.Outcome != c.want || e.Code != c.code || (e.RetryAfter() > 0) != (c.want == notifier.Temporary && c.code == 0) {
				t.Fatalf("%v, want %s %d", err, c.want, c.code)
			}
			if text := err.Error(); strings.Contains(text, "ada@") || strings.ContainsAny(text, "\r\n") || !strings.HasPrefix(text, c.want.String()) {
				t.Errorf("error %q", text)
			}
			if c.fault.Stall == 0 && len(s.Letters()) != c.kept {
				t.Errorf("%d letters kept, want %d", len(s.Letters()), c.kept)
			}
			s.SetFault(nil)
			if err := m.Send(t.Context(), msg); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	s := server(t, standin.MailOptions{})
	s.Close()
	var e *notifier.Error
	if err := plain(t, s).Send(t.Context(), message(t, nil)); !errors.As(err, &e) || e.Outcome != notifier.Temporary {
		t.Errorf("%v", err)
	}
}

// TestServerNeverGreets checks the time limit of a connection.
func TestServerNeverGreets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := mailer(t, notifier.MailerOptions{Address: l.Addr().String(), Mode: notifier.Plain, Timeout: 100 * time.Millisecond})
	var e *notifier.Error
	if err := m.Send(t.Context(), message(t, nil)); !errors.As(err, &e) || e.Outcome != notifier.Temporary {
		t.Errorf("%v", err)
	}
}

func TestGreylist(t *testing.T) {
	s := server(t, standin.MailOptions{})
	s.SetFault(standin.Greylist())
	m := plain(t, s)
	var e *notifier.Error
	if err := m.Send(t.Context(), message(t, nil)); !errors.As(err, &e) || e.Code != 451 {
		t.Errorf("first: %v", err)
	}
	if err := m.Send(t.Context(), message(t, nil)); err != nil {
		t.Errorf("second: %v", err)
	}
}

// TestOneBadRecipientOfTwo checks that who does not exist keeps the mail from
// nobody else.
func TestOneBadRecipientOfTwo(t *testing.T) {
	s := server(t, standin.MailOptions{})
	s.SetFault(func(stage standin.MailStage, l standin.Letter) standin.MailFault {
		if stage == standin.MailTo && l.To[0] == "gone@contoso.example" {
			return standin.MailFault{Code: 550}
		}
		return standin.MailFault{}
	})
	msg := message(t, nil)
	msg.To = []string{"gone@contoso.example", "admin@contoso.example"}
	if err := plain(t, s).Send(t.Context(), msg); err != nil || len(s.Letters()) != 1 {
		t.Errorf("%v, %d letters", err, len(s.Letters()))
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := server(t, standin.MailOptions{})
	m := mailer(t, notifier.MailerOptions{Address: s.Address(), Mode: notifier.Plain, PerConnection: 3, Connections: 2})
	msg := message(t, nil)
	for range 7 {
		if err := m.Send(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Connections(); n != 3 {
		t.Errorf("%d connections for 7 mails of 3 each, want 3", n)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := m.Send(t.Context(), msg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(s.Letters()); n != 27 {
		t.Errorf("%d letters, want 27", n)
	}
}

// TestConnectionGone checks that a connection which the server closed while it
// was kept costs nothing but a new one.
func TestConnectionGone(t *testing.T) {
	first := server(t, standin.MailOptions{})
	m := plain(t, first)
	if err := m.Send(t.Context(), message(t, nil)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := server(t, standin.MailOptions{Address: first.Address()})
	if err := m.Send(t.Context(), message(t, nil)); err != nil || len(second.Letters()) != 1 {
		t.Errorf("%v, %d letters", err, len(second.Letters()))
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	s := server(t, standin.MailOptions{})
	m := mailer(t, notifier.MailerOptions{Address: s.Address(), Mode: notifier.Plain, Idle: time.Millisecond})
	for s.Connections() < 2 { // until one was closed between two mails
		if err := m.Send(t.Context(), message(t, nil)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Millisecond)
	}
}

func certificate(t *testing.T) (*tls.Config, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

func TestTLSAndAuthentication(t *testing.T) {
	theirs, ours := certificate(t)
	const password = "correct horse"
	right := func() (string, error) { return password, nil }
	wrong := func() (string, error) { return "battery staple", nil }
	unreadable := func() (string, error) { return "", errors.New("no such file") }
	for _, c := range []struct {
		name     string
		server   standin.MailOptions
		mode     notifier.TLSMode
		trust    *tls.Config
		password func() (string, error)
		ok       bool
	}{
		{"starttls", standin.MailOptions{TLS: theirs}, notifier.Mandatory, ours, nil, true},
		{"starttls is the default", standin.MailOptions{TLS: theirs}, "", ours, nil, true},
		{"starttls and password", standin.MailOptions{TLS: theirs, Username: "u", Password: password}, notifier.Mandatory, ours, right, true},
		{"implicit", standin.MailOptions{TLS: theirs, Implicit: true}, notifier.Implicit, ours, nil, true},
		{"implicit and password", standin.MailOptions{TLS: theirs, Implicit: true, Username: "u", Password: password}, notifier.Implicit, ours, right, true},
		{"wrong password", standin.MailOptions{TLS: theirs, Username: "u", Password: password}, notifier.Mandatory, ours, wrong, false},
		{"password cannot be read", standin.MailOptions{TLS: theirs, Username: "u", Password: password}, notifier.Mandatory, ours, unreadable, false},
		{"server without starttls", standin.MailOptions{}, notifier.Mandatory, ours, nil, false},
		{"unknown authority", standin.MailOptions{TLS: theirs}, notifier.Mandatory, nil, nil, false},
		{"implicit, unknown authority", standin.MailOptions{TLS: theirs, Implicit: true}, notifier.Implicit, nil, nil, false},
		{"no password in clear", standin.MailOptions{Username: "u", Password: password}, notifier.Plain, nil, right, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t, c.server)
			o := notifier.MailerOptions{Address: s.Address(), Mode: c.mode, TLS: c.trust, Password: c.password, Timeout: 5 * time.Second}
			if c.password != nil {
				o.Username = "u"
			}
			err := mailer(t, o).Send(t.Context(), message(t, nil))
			var e *notifier.Error
			switch {
			case c.ok && (err != nil || len(s.Letters()) != 1 || !s.Letters()[0].Secure):
				t.Errorf("%v, %d letters", err, len(s.Letters()))
			case !c.ok && (!errors.As(err, &e) || e.Outcome != notifier.Temporary || len(s.Letters()) != 0):
				t.Errorf("%v, %d letters; want a temporary error", err, len(s.Letters()))
			case err != nil && (strings.Contains(err.Error(), "horse") || strings.Contains(err.Error(), "staple")):
				t.Error("the error has the password")
			}
		})
	}
}

func TestNewMailerRefuses(t *testing.T) {
	for _, o := range []notifier.MailerOptions{{}, {Address: "localhost"}, {Address: ":25"}, {Address: "a:0"}, {Address: "a:99999"}, {Address: "a:25", Mode: "some"}} {
		if _, err := notifier.NewMailer(o); err == nil {
			t.Errorf("%v is taken", o)
		}
	}
}
