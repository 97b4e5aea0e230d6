// Package revtainwebhook checks Revtain's webhooks with nothing but the standard library. Copy this file.
package revtainwebhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const toleranceSeconds = 300

var (
	wholeSeconds = regexp.MustCompile(`^[0-9]{1,12}$`)
	secretForm   = regexp.MustCompile(`^whsec_[A-Za-z0-9+/]+={0,2}$`)
)

// Header reads one header by its name, in any case. (http.Header).Get is one.
type Header func(name string) string

// VerifyStandard checks the dated Standard Webhooks signature: true when one of the secrets signed these bytes within
// five minutes of now. The body is raw, as io.ReadAll(request.Body) gives it: never parse it first.
func VerifyStandard(body []byte, header Header, secrets []string, now time.Time) bool {
	id := strings.TrimSpace(header("webhook-id"))
	timestamp := strings.TrimSpace(header("webhook-timestamp"))
	if id == "" || strings.Contains(id, ".") || !wholeSeconds.MatchString(timestamp) {
		return false
	}
	sentAt, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	if age := now.Unix() - sentAt; age > toleranceSeconds || -age > toleranceSeconds {
		return false
	}

	given := strings.Split(strings.TrimSpace(header("webhook-signature")), " ")
	signed := append([]byte(id+"."+timestamp+"."), body...)
	for _, secret := range secrets {
		key, ok := keyOf(strings.TrimSpace(secret))
		if !ok {
			continue
		}
		expected := "v1," + base64.StdEncoding.EncodeToString(sum(key, signed))
		for _, each := range given {
			if isSame(each, expected) {
				return true
			}
		}
	}
	return false
}

// VerifyPlain checks X-Revtain-Signature. It has no date: remember the ids of events, or an old copy is taken again.
func VerifyPlain(body []byte, header Header, secrets []string) bool {
	given := strings.TrimSpace(header("x-revtain-signature"))
	for _, secret := range secrets {
		key := strings.TrimSpace(secret)
		if key != "" && isSame(given, hex.EncodeToString(sum([]byte(key), body))) {
			return true
		}
	}
	return false
}

// The key is what the part after whsec_ encodes, whether or not its padding is there.
func keyOf(secret string) ([]byte, bool) {
	if !secretForm.MatchString(secret) {
		return nil, false
	}
	text := strings.TrimRight(strings.TrimPrefix(secret, "whsec_"), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	return key, err == nil && len(key) > 0
}

func sum(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// Compares the texts: a decoder would take several spellings of one signature.
func isSame(given, expected string) bool {
	return hmac.Equal([]byte(given), []byte(expected))
}
