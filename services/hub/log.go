package hub

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog passes the server's own lines on. Its notices are of interest only
// to somebody who debugs the broker.
type serverLog struct {
	to    *slog.Logger
	fatal *atomic.Pointer[string] // why the server gives up
}

func (l serverLog) Noticef(format string, v ...any) { l.to.Debug("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Warnf(format string, v ...any)   { l.to.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Errorf(format string, v ...any)  { l.to.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(format string, v ...any)  { l.to.Debug("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Tracef(format string, v ...any)  { l.to.Debug("nats: " + fmt.Sprintf(format, v...)) }

// Fatalf does not end the process, as the server's own logger would.
func (l serverLog) Fatalf(format string, v ...any) {
	reason := fmt.Sprintf(format, v...)
	l.fatal.CompareAndSwap(nil, &reason)
	l.to.Error("nats: " + reason)
}
