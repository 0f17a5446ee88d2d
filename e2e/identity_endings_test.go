package e2e

import (
	"crypto/rand"
	"net/http"
)

// endings are the ways in which tokens of a user with two devices end, and whose.
var endings = map[string]struct {
	end           func(m matrix, first, second login)
	first, second bool
}{
	"logout": {
		end:   func(m matrix, first, _ login) { m.must(http.MethodPost, v3+"logout", first.token, struct{}{}) },
		first: true,
	},
	"logout everywhere": {
		end:   func(m matrix, first, _ login) { m.must(http.MethodPost, v3+"logout/all", first.token, struct{}{}) },
		first: true, second: true,
	},
	"change of the password": {
		end: func(m matrix, first, _ login) {
			password := rand.Text()
			m.keep(password)
			m.must(http.MethodPost, v3+"account/password", first.token, map[string]any{
				"new_password": password, "logout_devices": true, "auth": again(first),
			})
		},
		second: true,
	},
	"deletion of a device": {
		end: func(m matrix, first, second login) {
			m.must(http.MethodDelete, v3+"devices/"+second.device, first.token, map[string]any{"auth": again(first)})
		},
		second: true,
	},
	"deletion of devices": {
		end: func(m matrix, first, second login) {
			m.must(http.MethodPost, v3+"delete_devices", first.token, map[string]any{
				"devices": []string{first.device, second.device}, "auth": again(first),
			})
		},
		first: true, second: true,
	},
	"deactivation": {
		end: func(m matrix, first, _ login) {
			m.must(http.MethodPost, v3+"account/deactivate", first.token, map[string]any{"auth": again(first)})
		},
		first: true, second: true,
	},
}

// again is what a user proves to be themselves with, once more.
func again(l login) map[string]any {
	return map[string]any{"type": "m.login.password", "identifier": identifier(l), "password": l.password}
}

func identifier(l login) map[string]any {
	return map[string]any{"type": "m.id.user", "user": l.user}
}
