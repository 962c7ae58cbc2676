package leak

import "time"

// TokenState says whether a token works.
type TokenState string

// The states of a [Token]. A store keeps the first two; a token is expired by
// the clock, see [Token.StateAt].
const (
	TokenActive  TokenState = "active"
	TokenRevoked TokenState = "revoked"
	TokenExpired TokenState = "expired"
)

// Owner is whose token it is.
type Owner struct {
	ID   string `json:"owner_id"`
	Name string `json:"owner_name"`
	Mail string `json:"owner_mail"`
}

// Token is what the issuer's store knows of a token: whose it is and what it
// may do, never the token.
type Token struct {
	AuthorizationID string `json:"authorization_id"` // the issuer's name for it; what revokes it
	Owner
	Organization string     `json:"organization"`
	DisplayName  string     `json:"display_name"`
	Scopes       string     `json:"scopes"` // as the issuer writes them, separated by spaces
	ValidFrom    time.Time  `json:"valid_from,omitzero"`
	ValidTo      time.Time  `json:"valid_to,omitzero"` // zero: for ever
	State        TokenState `json:"state"`
	Digest       Digest     `json:"digest,omitzero"` // the one it was found by
}

// StateAt returns the token's state at a time: one that is active and whose
// ValidTo has passed is expired.
func (t *Token) StateAt(now time.Time) TokenState {
	if t.State == TokenActive && !t.ValidTo.IsZero() && !now.Before(t.ValidTo) {
		return TokenExpired
	}
	return t.State
}
