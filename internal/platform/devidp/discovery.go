package devidp

import (
	"net/http"
	"slices"
	"strings"
)

// discovery says what the provider can do (OpenID Connect Discovery 3, RFC 8414, RFC 9207 3).
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.issuer + "/authorize",
		"token_endpoint":                                 p.issuer + "/token",
		"userinfo_endpoint":                              p.issuer + "/userinfo",
		"revocation_endpoint":                            p.issuer + "/revoke",
		"jwks_uri":                                       p.issuer + "/jwks",
		"scopes_supported":                               knownScopes(),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256"},
		"token_endpoint_auth_methods_supported":          []string{"none"},
		"revocation_endpoint_auth_methods_supported":     []string{"none"},
		"code_challenge_methods_supported":               []string{"S256"},
		"prompt_values_supported":                        []string{"none", "login", "consent", "select_account"},
		"claims_supported":                               []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "email", "email_verified", "name"},
		"authorization_response_iss_parameter_supported": true,
		"request_uri_parameter_supported":                false,
		// By this a platform that serves knows whom not to trust: this provider asks nobody for a password.
		"stead_demo": true,
	})
}

// userinfo answers who an access token speaks for (OpenID Connect Core 5.3), as far as its scope goes.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="userinfo"`)
		fail(w, http.StatusUnauthorized, "invalid_request", "an access token is missing")
		return
	}
	c, err := p.readAccess(raw)
	who, ok := p.person(c.Subject)
	if err != nil || !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="userinfo", error="invalid_token"`)
		fail(w, http.StatusUnauthorized, "invalid_token", "the access token is not good, or not any more")
		return
	}
	granted := strings.Fields(c.Scope)
	if !slices.Contains(granted, "openid") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="userinfo", error="insufficient_scope", scope="openid"`)
		fail(w, http.StatusForbidden, "insufficient_scope", "the access token does not cover openid")
		return
	}
	answer := map[string]any{"sub": who.Subject}
	if slices.Contains(granted, "email") {
		answer["email"], answer["email_verified"] = who.Email, true
	}
	if slices.Contains(granted, "profile") {
		answer["name"] = who.Name
	}
	writeJSON(w, http.StatusOK, answer)
}
