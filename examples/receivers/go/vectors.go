// Runs the shared vectors: `go run . [file]`.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"revtain.example/receiver/revtainwebhook"
)

type vector struct {
	Name       string
	Scheme     string
	Secrets    []string
	Now        int64
	Headers    map[string]string
	BodyBase64 string
	Expected   string
}

func main() {
	file := "../../../test/contract/signature-vectors-receiver.json"
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	vectors, err := read(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failed := 0
	for _, each := range vectors {
		word := "pass"
		if passes, err := each.passes(); err != nil || !passes {
			word = "FAIL"
			failed++
		}
		fmt.Println(word, each.Name)
	}
	fmt.Printf("%d passed, %d failed\n", len(vectors)-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func read(file string) ([]vector, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document struct{ Vectors []vector }
	err = json.Unmarshal(text, &document)
	return document.Vectors, err
}

func (v vector) passes() (bool, error) {
	body, err := base64.StdEncoding.DecodeString(v.BodyBase64)
	if err != nil {
		return false, err
	}
	verified := false
	if v.Scheme == "standard" {
		verified = revtainwebhook.VerifyStandard(body, v.header, v.Secrets, time.Unix(v.Now, 0))
	} else {
		verified = revtainwebhook.VerifyPlain(body, v.header, v.Secrets)
	}
	return verified == (v.Expected == "verified"), nil
}

func (v vector) header(name string) string {
	for key, value := range v.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
