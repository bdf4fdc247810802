package pilot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/tripoint/tripoint/pkg/disk"
)

// Running tells other commands where a running pilot listens. It holds no secret.
type Running struct {
	Process    int               `json:"process"`    // identifier of the process
	Hub        string            `json:"hub"`        // URL for NATS clients
	Publishers map[string]string `json:"publishers"` // URL by COUNTRY/agency
	Desks      map[string]string `json:"desks"`      // URL by country
}

// ErrNotRunning says that no pilot runs on a data directory.
var ErrNotRunning = errors.New("no pilot is running here")

// FindRunning reads where the pilot on a data directory listens.
func FindRunning(layout Layout) (Running, error) {
	data, err := os.ReadFile(layout.running())
	if errors.Is(err, os.ErrNotExist) {
		return Running{}, fmt.Errorf("%s: %w: start it with tripoint pilot --data %s", layout, ErrNotRunning, layout)
	}
	if err != nil {
		return Running{}, err
	}
	var running Running
	if err := json.Unmarshal(data, &running); err != nil {
		return Running{}, fmt.Errorf("%s: %w", layout.running(), err)
	}
	return running, nil
}

func (r Running) write(layout Layout) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(layout.running(), append(data, '\n'), 0o600)
}
