package stream

import (
	"testing"
	"time"
)

func TestClocksApart(t *testing.T) {
	hub := time.Date(2025, 3, 3, 12, 0, 0, 0, time.UTC)
	for apart, ok := range map[time.Duration]bool{
		0: true, clocksApart: true, -clocksApart: true, clocksApart + time.Second: false, -time.Hour: false,
	} {
		if check := clock(hub, hub.Add(apart)); check.OK != ok || (check.Hint == "") != ok {
			t.Errorf("%v apart: %+v", apart, check)
		}
	}
}
