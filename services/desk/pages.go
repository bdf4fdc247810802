package desk

import (
	"github.com/tripoint/tripoint/services/desk/console"
)

// Pages makes this desk's console, for Config.Console.
func (d *Desk) Pages() (*console.Console, error) {
	return console.New(console.Config{
		Country: d.config.Country, State: d.State, Reader: d.Reader(), Changes: d.Live(), Logger: d.log, History: d.book.history,
		Status: func() console.Status { return console.Status(d.Status()) },
	})
}
