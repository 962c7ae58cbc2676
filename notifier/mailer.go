package notifier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// TLSMode says how a connection to the mail server is encrypted.
type TLSMode string

// The modes of encryption.
const (
	Mandatory TLSMode = "mandatory" // STARTTLS, or nothing is sent
	Implicit  TLSMode = "implicit"  // TLS from the first byte
	Plain     TLSMode = "none"
)

// What the zero values of [MailerOptions] stand for, and bounds.
const (
	defaultConnections   = 4
	defaultPerConnection = 100
	defaultIdle          = 20 * time.Second
	defaultDial          = 10 * time.Second
	defaultTimeout       = time.Minute
)

// MailerOptions say which server takes the mails, and how it is used.
type MailerOptions struct {
	Address  string  // "host:port"
	Mode     TLSMode // "": Mandatory
	TLS      *tls.Config
	Username string
	Password func() (string, error) // asked for with each connection; nil: no authentication

	Connections   int           // at once; 0: 4
	PerConnection int           // mails; 0: 100
	Idle          time.Duration // how long an unused connection is kept; 0: 20 s
	DialTimeout   time.Duration // to connect, TLS included; 0: 10 s
	Timeout       time.Duration // for one mail, its connection's greeting included; 0: 1 min
}

// Mailer hands mails to a server, over a few connections that are used again.
// It is safe for concurrent use.
type Mailer struct {
	options MailerOptions
	host    string
	port    int
	slots   chan struct{} // one for each connection in use

	mu     sync.Mutex
	free   []*connection // newest last
	closed bool
}

// A connection is one that may be used again.
type connection struct {
	client *gomail.Client
	sent   int
	timer  *time.Timer // closes it when it was not used for long
}

// NewMailer returns a Mailer. It connects to nothing yet.
func NewMailer(o MailerOptions) (*Mailer, error) {
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("the mail server %q is not host:port", o.Address)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || host == "" {
		return nil, fmt.Errorf("the mail server %q is not host:port", o.Address)
	}
	switch o.Mode {
	case "":
		o.Mode = Mandatory
	case Mandatory, Implicit, Plain:
	default:
		return nil, fmt.Errorf("mail TLS mode %q is not one of mandatory, implicit, none", string(o.Mode))
	}
	o.Connections, o.PerConnection = or0(o.Connections, defaultConnections), or0(o.PerConnection, defaultPerConnection)
	o.Idle, o.DialTimeout, o.Timeout = or0(o.Idle, defaultIdle), or0(o.DialTimeout, defaultDial), or0(o.Timeout, defaultTimeout)
	return &Mailer{options: o, host: host, port: int(number), slots: make(chan struct{}, o.Connections)}, nil
}

func or0[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Close closes the connections that are not in use; those in use are closed
// after their mail.
func (m *Mailer) Close() {
	m.mu.Lock()
	free := m.free
	m.free, m.closed = nil, true
	m.mu.Unlock()
	for _, c := range free {
		c.close()
	}
}

// Send hands a mail to the server, in a transaction of its own for each
// recipient, so that one who does not exist keeps it from nobody else. When it
// returns nil, the server took the mail for at least one recipient. Otherwise
// the error is an [Error], the one that leaves most hope. It connects again, once,
// when a connection that was kept turns out to be gone.
//
// A mail that is sent again has the same lines, its headers in any order. ctx ends waiting for a
// connection and dialling; a mail that is on its way is bounded by Timeout.
func (m *Mailer) Send(ctx context.Context, msg Message) error {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return &Error{Outcome: Temporary, err: ctx.Err()}
	}
	worst := &Error{Outcome: Permanent, err: errors.New("there is no recipient")}
	accepted := false
	for _, to := range msg.To {
		e := m.sendTo(ctx, msg, to)
		if e == nil {
			accepted = true
		} else if e.Outcome > worst.Outcome || worst.Code == 0 && e.Outcome == worst.Outcome {
			worst = e
		}
	}
	if accepted {
		return nil
	}
	return worst
}

func (m *Mailer) sendTo(ctx context.Context, msg Message, to string) *Error {
	letter, err := build(msg, to)
	if err != nil {
		return &Error{Outcome: Permanent, err: err}
	}
	c, kept, e := m.connect(ctx)
	if e != nil {
		return e
	}
	err = c.client.Send(letter)
	var failed *gomail.SendError
	if kept && errors.As(err, &failed) && failed.Reason == gomail.ErrConnCheck {
		c.close()
		if c, e = m.dial(ctx); e != nil {
			return e
		}
		err = c.client.Send(letter)
	}
	if err != nil {
		c.close()
		return classify(err, letter.IsDelivered())
	}
	c.sent++
	m.keep(c)
	return nil
}

// connect returns a connection that was kept, or a new one.
func (m *Mailer) connect(ctx context.Context) (c *connection, kept bool, e *Error) {
	m.mu.Lock()
	for len(m.free) > 0 && c == nil {
		c = m.free[len(m.free)-1]
		m.free = m.free[:len(m.free)-1]
		if !c.timer.Stop() { // it is being closed
			c = nil
		}
	}
	m.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	c, e = m.dial(ctx)
	return c, false, e
}

// keep puts a connection back, or closes it when it was used enough.
func (m *Mailer) keep(c *connection) {
	m.mu.Lock()
	ok := !m.closed && c.sent < m.options.PerConnection
	if ok {
		c.timer = time.AfterFunc(m.options.Idle, func() { m.drop(c) })
		m.free = append(m.free, c)
	}
	m.mu.Unlock()
	if !ok {
		c.close()
	}
}

func (m *Mailer) drop(c *connection) {
	m.mu.Lock()
	for i, other := range m.free {
		if other == c {
			m.free = append(m.free[:i:i], m.free[i+1:]...)
			break
		}
	}
	m.mu.Unlock()
	c.close()
}

// close ends a connection. That it could not say good-bye does not matter.
func (c *connection) close() { _ = c.client.Close() }

// dial makes a connection, with TLS and authentication. What fails here is no
// fault of a mail: it is always temporary.
func (m *Mailer) dial(ctx context.Context) (*connection, *Error) {
	options, err := m.clientOptions()
	if err != nil {
		return nil, &Error{Outcome: Temporary, err: err}
	}
	client, err := gomail.NewClient(m.host, options...)
	if err != nil {
		return nil, &Error{Outcome: Temporary, err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.DialTimeout)
	defer cancel()
	if err := client.DialWithContext(ctx); err != nil {
		return nil, &Error{Outcome: Temporary, err: fmt.Errorf("connecting to the mail server: %s", line1(err))}
	}
	return &connection{client: client}, nil
}

func (m *Mailer) clientOptions() ([]gomail.Option, error) {
	o := m.options
	conf := o.TLS.Clone()
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if conf.ServerName == "" {
		conf.ServerName = m.host
	}
	options := []gomail.Option{gomail.WithPort(m.port), gomail.WithTimeout(o.Timeout), gomail.WithTLSConfig(conf)}
	switch o.Mode {
	case Mandatory:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Implicit:
		options = append(options, gomail.WithSSL())
	case Plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if o.Username == "" || o.Password == nil {
		return options, nil
	}
	password, err := o.Password()
	if err != nil {
		return nil, fmt.Errorf("reading the password of the mail server: %w", err)
	}
	return append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(o.Username), gomail.WithPassword(password)), nil
}

// build makes the message for one recipient.
func build(m Message, to string) (*gomail.Msg, error) {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return nil, errors.New("the sender is not a mail address")
	}
	address, err := mail.ParseAddress(to)
	if err != nil {
		return nil, errors.New("the recipient is not a mail address")
	}
	ids := append([]string{m.MessageID}, m.References...)
	for _, id := range ids {
		if !isMessageID(id) {
			return nil, errors.New("a Message-ID has characters that it may not have")
		}
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m.MessageID)))
	msg.FromMailAddress(from)
	msg.ToMailAddress(&mail.Address{Address: address.Address})
	msg.Subject(clean(m.Subject, 200))
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(m.MessageID)
	if len(m.References) > 0 {
		msg.SetGenHeaderPreformatted("References", references(m.References))
		msg.SetGenHeaderPreformatted("In-Reply-To", "<"+m.References[len(m.References)-1]+">")
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("X-Patwatch-Notification-Id", clean(m.ID, maxName))
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}
