package checkup

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRows(t *testing.T) {
	rows := Under("desk TH", []Check{Good("disk", "%d bytes free", 7), Bad("key", "run: chmod 600 a.key", "mode %04o", 0o644)})
	data, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"check":"desk TH: disk","ok":true,"detail":"7 bytes free","hint":""},` +
		`{"check":"desk TH: key","ok":false,"detail":"mode 0644","hint":"run: chmod 600 a.key"}]`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if Wrong(rows) != 1 || Wrong(rows[:1]) != 0 {
		t.Errorf("%d rows are wrong, want 1", Wrong(rows))
	}
}
