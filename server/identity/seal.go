package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// minSecret is in bytes: what is hashed with a shorter secret could be guessed.
const minSecret = 16

var errSeal = errors.New("not sealed with this secret, or not for this name")

// sealer names and encrypts what is shared, with keys that come of one secret: who reads the Redis learns neither tokens
// nor users, and who writes to it can take entries away or bring old ones back, but not make any.
type sealer struct{ naming, sealing []byte }

func newSealer(secret string) (*sealer, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the secret has fewer than %d bytes", minSecret)
	}
	naming, err := hkdf.Key(sha256.New, []byte(secret), nil, "axon identity names 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	sealing, err := hkdf.Key(sha256.New, []byte(secret), nil, "axon identity values 1", sha256.Size)
	return &sealer{naming, sealing}, err
}

// name is the key in Redis for a thing of a kind. None of the parts can hold the NUL between them.
func (s *sealer) name(kind byte, parts ...string) string {
	mac := hmac.New(sha256.New, s.naming)
	mac.Write([]byte{kind})
	for _, part := range parts {
		mac.Write([]byte{0})
		mac.Write([]byte(part))
	}
	return "axon:" + string(kind) + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// seal encrypts a value that stands under a name and cannot be moved to another.
func (s *sealer) seal(name string, value []byte) ([]byte, error) {
	box, err := s.box(name)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, value, []byte(name)), nil
}

func (s *sealer) open(name string, sealed []byte) ([]byte, error) {
	box, err := s.box(name)
	if err != nil {
		return nil, err
	}
	value, err := box.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, errSeal
	}
	return value, nil
}

// box has a key of its own for each name, so that random nonces suffice however many values there are.
func (s *sealer) box(name string) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, s.sealing)
	mac.Write([]byte(name))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
