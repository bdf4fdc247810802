package notary

import "github.com/tripoint/tripoint/pkg/disk"

// Inject puts faults into a notary: see faults.
func (c *Config) Inject(d disk.Maker, publish func(do func() error) error, step func(name string) error) {
	c.faults = faults{disk: d, publish: publish, step: step}
}
