package devidp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
}

// token is the token endpoint (RFC 6749 3.2): a code or a refresh token against fresh tokens.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	client, ok := p.publicClient(w, r)
	if !ok {
		return
	}
	f, scope, nonce, bad := p.redeem(client, r.PostForm)
	if bad != nil {
		fail(w, http.StatusBadRequest, bad.code, bad.description)
		return
	}
	t, err := p.issue(f, scope, nonce)
	switch {
	case errors.Is(err, errGrant):
		fail(w, http.StatusBadRequest, "invalid_grant", "the sign-in is over")
	case err != nil:
		p.log.Error("demo sign-in: tokens not signed", "error", err)
		fail(w, http.StatusInternalServerError, "server_error", "the tokens could not be made")
	default:
		writeJSON(w, http.StatusOK, t)
	}
}

// publicClient reads the form and who sends it. Clients have no secret here; one that tries to show some is told so
// before anything is used up, because libraries find out that way how to speak to a provider.
func (p *Provider) publicClient(w http.ResponseWriter, r *http.Request) (string, bool) {
	if err := r.ParseForm(); err != nil {
		fail(w, http.StatusBadRequest, "invalid_request", "the form could not be read")
		return "", false
	}
	if r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		fail(w, http.StatusUnauthorized, "invalid_client", "clients are public: send client_id in the form")
		return "", false
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			fail(w, http.StatusBadRequest, "invalid_request", name+" is given twice")
			return "", false
		}
	}
	id := r.PostForm.Get("client_id")
	if _, ok := p.clients[id]; !ok || r.PostForm.Get("client_secret") != "" {
		fail(w, http.StatusBadRequest, "invalid_client", "the client is not known, or shows a secret it does not have")
		return "", false
	}
	return id, true
}

// redeem uses up what the client shows and says what it stands for.
func (p *Provider) redeem(client string, q url.Values) (f *family, scope, nonce string, bad *refusal) {
	switch q.Get("grant_type") {
	case "authorization_code":
		f, err := p.grants.redeemCode(q.Get("code"))
		if err != nil {
			return nil, "", "", &refusal{"invalid_grant", "the code is unknown, used or expired"}
		}
		g := f.grant
		if g.client != client || g.redirect != q.Get("redirect_uri") || !proves(q.Get("code_verifier"), g.challenge) {
			return nil, "", "", &refusal{"invalid_grant", "client, redirect_uri or code_verifier do not belong to the code"}
		}
		return f, g.scope, g.nonce, nil
	case "refresh_token":
		f, scope, err := p.grants.redeemRefresh(q.Get("refresh_token"), client, q.Get("scope"))
		switch {
		case errors.Is(err, errScope):
			return nil, "", "", &refusal{"invalid_scope", "more was asked than was granted"}
		case err != nil:
			return nil, "", "", &refusal{"invalid_grant", "the refresh token is unknown, used, revoked or expired"}
		}
		return f, scope, "", nil
	case "":
		return nil, "", "", &refusal{"invalid_request", "grant_type is missing"}
	}
	return nil, "", "", &refusal{"unsupported_grant_type", "only authorization_code and refresh_token are supported"}
}

func (p *Provider) issue(f *family, scope, nonce string) (tokens, error) {
	who, ok := p.person(f.grant.subject)
	if !ok {
		return tokens{}, errGrant
	}
	t := tokens{TokenType: "Bearer", ExpiresIn: int(accessTTL / time.Second), Scope: scope}
	var err error
	if t.AccessToken, err = p.accessToken(f.grant, who, scope); err != nil {
		return tokens{}, err
	}
	if t.IDToken, err = p.idToken(f.grant, who, t.AccessToken, nonce); err != nil {
		return tokens{}, err
	}
	if f.grant.offline {
		t.RefreshToken, err = p.grants.issueRefresh(f)
	}
	return t, err
}

// revoke is RFC 7009: signing out ends the chain of refresh tokens.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	client, ok := p.publicClient(w, r)
	if !ok {
		return
	}
	if r.PostForm.Get("token") == "" {
		fail(w, http.StatusBadRequest, "invalid_request", "token is missing")
		return
	}
	p.grants.revoke(r.PostForm.Get("token"), client)
	w.WriteHeader(http.StatusOK)
}

// proves checks the code verifier against its challenge (RFC 7636 4.6), in constant time.
func proves(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// narrower answers the scope of a refresh: what was asked if all of it was granted, else all that was granted.
func narrower(asked, granted string) (string, bool) {
	if asked == "" {
		return granted, true
	}
	have := strings.Fields(granted)
	for _, s := range strings.Fields(asked) {
		if !slices.Contains(have, s) {
			return "", false
		}
	}
	return asked, true
}

// fail answers an error of RFC 6749 5.2.
func fail(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader went away: nobody left to tell
}
