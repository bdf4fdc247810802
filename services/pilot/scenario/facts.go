// Package scenario turns a file of published facts into the reports that the
// agencies concerned would have made of them. The file's form is that of
// myawaddy-2025-02.yaml beside this code; what it does not say is not invented.
package scenario

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed myawaddy-2025-02.yaml
var builtIn []byte

// Facts is a scenario file.
type Facts struct {
	Founding *Founding
	Measures *measures
	Sites    []site
	Talks    []talk
	People   []person

	Transfers     map[string]transfer       // by the date of transfer_2025_02_12
	Lists         map[string]list           // by the number of list_of_7141
	Repatriations map[string][]repatriation // by the country of repatriation_to_cn
}

// Founding says who founds the log. Its keys are made when it is founded.
type Founding struct {
	Name      string   `yaml:"name"`
	Origin    string   `yaml:"origin"`
	Threshold uint32   `yaml:"threshold"`
	Quorum    uint32   `yaml:"quorum"`
	Members   []string `yaml:"members"`
	Agencies  []struct {
		Country string   `yaml:"country"`
		Agency  string   `yaml:"agency"`
		Name    string   `yaml:"name"`
		Reports []string `yaml:"reports"` // families of events
	} `yaml:"agencies"`
	Audiences []struct {
		Audience string   `yaml:"audience"`
		Members  []string `yaml:"members"`
		Purposes []string `yaml:"purposes"`
	} `yaml:"audiences"`
	Retention []struct {
		Class string `yaml:"class"`
		Days  uint32 `yaml:"days"`
	} `yaml:"retention"`
}

type measures struct {
	By      string   `yaml:"by"`
	InForce string   `yaml:"in_force"`
	Kinds   []string `yaml:"kinds"`
	Points  []struct {
		From string `yaml:"from"`
		To   string `yaml:"to"`
	} `yaml:"points"`
	Observed []struct {
		By   string `yaml:"by"`
		On   string `yaml:"on"`
		At   string `yaml:"at"`
		Note string `yaml:"note"`
	} `yaml:"observed"`
}

type site struct {
	By           string  `yaml:"by"`
	On           string  `yaml:"on"`
	Name         string  `yaml:"name"`
	Near         string  `yaml:"near"`
	Lat          float64 `yaml:"lat"`
	Lon          float64 `yaml:"lon"`
	ControlledBy string  `yaml:"controlled_by"`
}

type talk struct {
	On          string   `yaml:"on"`
	Where       string   `yaml:"where"`
	Parties     []string `yaml:"parties"`
	Commitments []string `yaml:"commitments"`
	Note        string   `yaml:"note"`
}

type transfer struct {
	Crossing   string  `yaml:"crossing"`
	Announced  *stated `yaml:"announced"`
	Departed   *stated `yaml:"departed"`
	Received   *stated `yaml:"received"`
	ReleasedBy struct {
		Claims []struct {
			By  string `yaml:"by"`
			Who string `yaml:"who"`
		} `yaml:"claims"`
	} `yaml:"released_by"`
	Screening *struct {
		By         string `yaml:"by"`
		WithinDays uint32 `yaml:"within_days"`
		Under      string `yaml:"under"`
	} `yaml:"screening"`
	Repatriated []struct {
		On    string `yaml:"on"`
		Count uint32 `yaml:"count"`
		How   string `yaml:"how"`
	} `yaml:"repatriated"`
}

// stated is one side's count.
type stated struct {
	By            string            `yaml:"by"`
	On            string            `yaml:"on"`
	At            string            `yaml:"at"`
	Source        string            `yaml:"source"`
	Count         uint32            `yaml:"count"`
	Male          *uint32           `yaml:"male"`
	Female        *uint32           `yaml:"female"`
	Nationalities *uint32           `yaml:"nationalities"`
	ByNationality map[string]uint32 `yaml:"by_nationality"`
}

type list struct {
	By     string `yaml:"by"`
	On     string `yaml:"on"`
	SentBy string `yaml:"sent_by"`
	Stated struct {
		Total     uint32   `yaml:"total"`
		Male      *uint32  `yaml:"male"`
		Female    *uint32  `yaml:"female"`
		Countries []uint32 `yaml:"countries"`
	} `yaml:"stated"`
	Rows map[string][]*uint32 `yaml:"rows"`
}

type repatriation struct {
	On      string            `yaml:"on"`
	By      string            `yaml:"by"` // a date: on or before it
	Count   uint32            `yaml:"count"`
	Flights uint32            `yaml:"flights"`
	Via     string            `yaml:"via"`
	Note    string            `yaml:"note"`
	Labels  map[string]string `yaml:"labels"`
}

type person struct {
	ID              string `yaml:"id"`
	By              string `yaml:"by"`
	On              string `yaml:"on"`
	Nationality     string `yaml:"nationality"`
	Sex             string `yaml:"sex"`
	Age             string `yaml:"age"`
	Transfer        string `yaml:"transfer"`
	Name            string `yaml:"name"`
	Transliteration string `yaml:"transliteration"`
	Screening       *struct {
		Act     string `yaml:"act"`
		Means   string `yaml:"means"`
		Purpose string `yaml:"purpose"`
		Outcome string `yaml:"outcome"`
	} `yaml:"screening"`
}

// BuiltIn is the pilot's own scenario.
func BuiltIn() (Facts, error) { return Parse(builtIn) }

// Parse reads a scenario file. A key that it does not know is an error with its
// line. Where the file founds nothing, the built-in founding stands.
func Parse(data []byte) (Facts, error) {
	var sections map[string]yaml.Node
	if err := yaml.Unmarshal(data, &sections); err != nil {
		return Facts{}, fmt.Errorf("scenario: %w", err)
	}
	facts := Facts{
		Transfers: map[string]transfer{}, Lists: map[string]list{}, Repatriations: map[string][]repatriation{},
	}
	for key, node := range sections {
		if err := facts.section(key, &node); err != nil {
			return Facts{}, fmt.Errorf("scenario: line %d: %s: %w", node.Line, key, err)
		}
	}
	if facts.Founding == nil {
		own, err := BuiltIn()
		if err != nil {
			return Facts{}, err
		}
		facts.Founding = own.Founding
	}
	return facts, nil
}

func (f *Facts) section(key string, node *yaml.Node) error {
	switch key {
	case "founding":
		return strict(node, &f.Founding)
	case "measures":
		return strict(node, &f.Measures)
	case "sites":
		return strict(node, &f.Sites)
	case "talks":
		return strict(node, &f.Talks)
	case "people":
		return strict(node, &f.People)
	}
	if date, ok := strings.CutPrefix(key, "transfer_"); ok {
		return keep(f.Transfers, strings.ReplaceAll(date, "_", "-"), node)
	}
	if number, ok := strings.CutPrefix(key, "list_of_"); ok {
		return keep(f.Lists, number, node)
	}
	if country, ok := strings.CutPrefix(key, "repatriation_to_"); ok {
		return keep(f.Repatriations, strings.ToUpper(country), node)
	}
	return fmt.Errorf("unknown: want founding, measures, sites, talks, people, transfer_DATE, list_of_NUMBER or repatriation_to_COUNTRY")
}

func keep[T any](into map[string]T, key string, node *yaml.Node) error {
	var value T
	if err := strict(node, &value); err != nil {
		return err
	}
	into[key] = value
	return nil
}

// strict decodes a section and refuses fields that it does not know.
func strict(node *yaml.Node, into any) error {
	text, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}
