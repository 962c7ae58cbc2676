package standin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Bounds of what a mail server keeps.
const (
	maxLetter  = 1 << 20
	maxLetters = 20_000
)

// MailOptions say what a [Mail] is like. The zero value is a server on a free
// port of the loopback, without TLS or authentication.
type MailOptions struct {
	Address            string      // "": 127.0.0.1, a free port
	TLS                *tls.Config // nil: STARTTLS is not offered
	Implicit           bool        // TLS from the first byte
	Username, Password string      // "": not asked for
}

// MailStage is a moment in the delivery of a letter.
type MailStage int

// The stages, in their order.
const (
	MailFrom MailStage = iota + 1 // the sender is named
	MailTo                        // a recipient is named
	MailDot                       // the whole letter has arrived
)

// MailFault is what a [Mail] does at a stage instead of its part. The zero value
// is no fault.
type MailFault struct {
	Code  int           // answers this, 4xx or 5xx
	Drop  bool          // cuts the connection without an answer
	Stall time.Duration // waits before the answer, or until the server is closed
	Keep  bool          // at MailDot: the letter is kept all the same
}

// Letter is a mail that arrived.
type Letter struct {
	From       string
	To         []string
	Data       []byte // as it was sent, with CRLF
	At         time.Time
	Connection int // counts from 1
	Secure     bool
}

// Mail is a mail server that keeps what it accepts. It is safe for concurrent
// use.
type Mail struct {
	listener net.Listener
	server   *smtp.Server
	options  MailOptions
	closed   chan struct{}
	served   chan struct{}

	mu          sync.Mutex
	fault       func(MailStage, Letter) MailFault
	letters     []Letter
	connections int
	arrived     chan struct{}
}

// StartMail starts a mail server. The caller closes it.
func StartMail(o MailOptions) (*Mail, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("starting a mail server: %w", err)
	}
	m := &Mail{listener: l, options: o, closed: make(chan struct{}), served: make(chan struct{}), arrived: make(chan struct{}, 1)}
	s := smtp.NewServer(smtp.BackendFunc(m.session))
	s.Domain, s.AllowInsecureAuth, s.MaxMessageBytes, s.MaxRecipients = "localhost", true, maxLetter, 100
	s.TLSConfig = o.TLS
	s.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableSMTPUTF8 = true
	m.server = s
	if o.Implicit {
		l = tls.NewListener(l, o.TLS)
	}
	go func() {
		defer close(m.served)
		_ = s.Serve(l) // it ends when the server is closed
	}()
	return m, nil
}

// Address returns "host:port" of the server.
func (m *Mail) Address() string { return m.listener.Addr().String() }

// Close ends the server and every connection.
func (m *Mail) Close() error {
	m.mu.Lock()
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	m.mu.Unlock()
	err := m.server.Close()
	m.listener.Close() // the server does not know it if it was closed before it began to serve
	<-m.served
	if errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

// SetFault makes the server ask f at each stage what goes wrong. nil: nothing
// does. f must be safe for concurrent use; the letter it gets is as far as it
// has come.
func (m *Mail) SetFault(f func(MailStage, Letter) MailFault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Greylist is a fault: the first delivery to each recipient is put off.
func Greylist() func(MailStage, Letter) MailFault {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(s MailStage, l Letter) MailFault {
		if s != MailTo {
			return MailFault{}
		}
		mu.Lock()
		defer mu.Unlock()
		to := l.To[len(l.To)-1]
		known := seen[to]
		seen[to] = true
		if known {
			return MailFault{}
		}
		return MailFault{Code: 451}
	}
}

// Letters returns what was kept, in the order it arrived.
func (m *Mail) Letters() []Letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.letters)
}

// Arrived returns a channel that gets a value after a letter was kept. Several
// may come as one.
func (m *Mail) Arrived() <-chan struct{} { return m.arrived }

// Connections returns how many there have been.
func (m *Mail) Connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connections
}

func (m *Mail) session(c *smtp.Conn) (smtp.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections++
	return &mailSession{mail: m, conn: c, number: m.connections, open: m.options.Username == ""}, nil
}

// keep stores a letter. The oldest go when there are too many.
func (m *Mail) keep(l Letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.letters) == maxLetters {
		m.letters = slices.Delete(m.letters, 0, maxLetters/10)
	}
	m.letters = append(m.letters, l)
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// A mailSession is one connection.
type mailSession struct {
	mail   *Mail
	conn   *smtp.Conn
	number int
	open   bool // authenticated, or need not be
	letter Letter
}

func (s *mailSession) AuthMechanisms() []string {
	if s.mail.options.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.mail.options.Username || password != s.mail.options.Password {
			return smtp.ErrAuthFailed
		}
		s.open = true
		return nil
	}), nil
}

func (s *mailSession) Reset() { s.letter = Letter{} }

func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.open {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	_, secure := s.conn.TLSConnectionState()
	s.letter = Letter{From: from, Connection: s.number, Secure: secure}
	_, err := s.at(MailFrom)
	return err
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.To = append(s.letter.To, to)
	_, err := s.at(MailTo)
	return err
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.letter.Data, s.letter.At = data, time.Now()
	fault, err := s.at(MailDot)
	if err == nil || fault.Keep {
		s.mail.keep(s.letter)
	}
	return err
}

// at does what goes wrong at a stage.
func (s *mailSession) at(stage MailStage) (MailFault, error) {
	s.mail.mu.Lock()
	f := s.mail.fault
	s.mail.mu.Unlock()
	if f == nil {
		return MailFault{}, nil
	}
	fault := f(stage, s.letter)
	if fault.Stall > 0 {
		select {
		case <-time.After(fault.Stall):
		case <-s.mail.closed:
		}
	}
	if fault.Drop {
		return fault, errors.Join(errors.New("cut"), s.conn.Conn().Close())
	}
	if fault.Code != 0 {
		return fault, &smtp.SMTPError{Code: fault.Code, EnhancedCode: smtp.EnhancedCode{fault.Code / 100, 1, 1}, Message: "not this time"}
	}
	return fault, nil
}
