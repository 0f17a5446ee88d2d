package server

import (
	"encoding/base64"
	"fmt"
)

// users are the localparts behind the native tokens of nativeTokens.
var users = map[string]string{}

// nativeTokens are tokens as Synapse makes them (handlers/auth.py, generate_access_token), for names of every length and kind.
func nativeTokens(n int) []string {
	var all []string
	for i := range n {
		name := fmt.Sprintf("user%d", i)
		switch i % 4 {
		case 1:
			name = fmt.Sprintf("%d.bob-%x_=", i, i*i)
		case 2:
			name = fmt.Sprintf("@odd/%d", i)
		case 3:
			name = fmt.Sprintf("ünï%d~~??>>", i)
		}
		token := "syt_" + base64.RawStdEncoding.EncodeToString([]byte(name)) + fmt.Sprintf("_qwertyuiopasdfghj%03d_1a2B3c", i%1000)
		users[token] = name
		all = append(all, token)
	}
	return all
}
