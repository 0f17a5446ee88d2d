package identity

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"axon/xds/topology"
)

// What Synapse answers is what whoami answers, and what Axon can answer, whether it asked or remembered.
func TestRefusalsAreSynapses(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   Refusal
	}{
		"an unknown token, or one that was logged out": {
			401, `{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}`,
			Refusal{Status: 401, ErrCode: "M_UNKNOWN_TOKEN", Message: "Invalid access token passed."},
		},
		"a token whose time is over": {
			401, `{"errcode":"M_UNKNOWN_TOKEN","error":"Access token has expired","soft_logout":true}`,
			Refusal{Status: 401, ErrCode: "M_UNKNOWN_TOKEN", Message: "Access token has expired", SoftLogout: true},
		},
		"a locked user": {
			401, `{"errcode":"M_USER_LOCKED","error":"User account has been locked","soft_logout":true}`,
			Refusal{Status: 401, ErrCode: "M_USER_LOCKED", Message: "User account has been locked", SoftLogout: true},
		},
		"an account whose time is over": {
			403, `{"errcode":"ORG_MATRIX_EXPIRED_ACCOUNT","error":"User account has expired"}`,
			Refusal{Status: 403, ErrCode: "ORG_MATRIX_EXPIRED_ACCOUNT", Message: "User account has expired"},
		},
		"an application service that names a stranger": {
			403, `{"errcode":"M_FORBIDDEN","error":"Application service cannot masquerade as this user (@a:hs)."}`,
			Refusal{Status: 403, ErrCode: "M_FORBIDDEN", Message: "Application service cannot masquerade as this user"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			worker := new(synapse).serve(t, nil, answerWith(test.status, test.body))
			c := newTestCache(t, newTestWhoami(t, []topology.Address{worker}))
			for _, time := range []string{"asked", "remembered"} {
				_, err := c.Resolve(t.Context(), Request{Token: "t"})
				var got *Refusal
				if !errors.As(err, &got) || !errors.Is(err, ErrUnknownToken) {
					t.Fatalf("%s: %v is not a refusal", time, err)
				}
				if diff := cmp.Diff(test.want, *got, cmpopts.IgnoreUnexported(Refusal{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", time, diff)
				}
			}
		})
	}
}

func TestWithoutATokenTheRefusalSaysSo(t *testing.T) {
	_, err := newTestCache(t, nil).Resolve(t.Context(), Request{})
	var got *Refusal
	if !errors.As(err, &got) || got.Status != http.StatusUnauthorized || got.ErrCode != "M_MISSING_TOKEN" || errors.Is(err, ErrUnknownToken) {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestNoAnswerIsNoRefusal(t *testing.T) {
	for _, err := range []error{ErrUnavailable, ErrBusy, errResting, errFault, errUnreachable, context.Canceled} {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			t.Errorf("%v is a refusal", err)
		}
	}
}
