package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"patwatch/leak"
)

// AzureDevOps returns a Revoke that calls Azure DevOps' token administration,
// POST <URL>/<organization>/_apis/tokenadmin/revocations, with the credential as
// a personal access token. URL is "https://vssps.dev.azure.com" for the service.
// The issuer may take up to an hour until a token that it confirmed to be
// revoked stops working everywhere.
func AzureDevOps(o Options) (Revoke, error) {
	c, err := newCaller(o)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t leak.Token) error {
		req, err := c.revocation(ctx, t)
		if err != nil {
			return err
		}
		return c.do(req, nil)
	}, nil
}

func (c *caller) revocation(ctx context.Context, t leak.Token) (*http.Request, error) {
	if t.AuthorizationID == "" || t.Organization == "" || t.Organization == "." || t.Organization == ".." {
		return nil, &Error{Kind: Permanent, err: errors.New("the token has no authorization id or organization")}
	}
	pat, err := c.credential()
	if err != nil {
		return nil, &Error{Kind: Refused, err: err}
	}
	body, err := json.Marshal([]map[string]string{{"authorizationId": t.AuthorizationID}})
	if err != nil {
		return nil, &Error{Kind: Permanent, err: err}
	}
	u := c.base.JoinPath(url.PathEscape(t.Organization), "_apis/tokenadmin/revocations")
	u.RawQuery = "isPublic=false&api-version=7.1-preview.1"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Kind: Permanent, err: errors.New("the organization is not one that can be in an address")}
	}
	req.SetBasicAuth("", pat)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json;api-version=7.1-preview.1")
	req.Header.Set("X-TFS-FedAuthRedirect", "Suppress") // 401, not a page to sign in
	return req, nil
}
