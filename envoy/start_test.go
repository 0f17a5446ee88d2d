package envoy

import (
	"net"
	"strings"
	"testing"
)

func TestFrontFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if err := frontFree([]string{free.Addr().String()}); err != nil {
		t.Errorf("a free address: %v", err)
	}
	err = frontFree([]string{taken.Addr().String(), free.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("one that is taken: %v", err)
	}
}
