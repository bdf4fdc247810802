package tiles

import (
	"net/http"
	"strings"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Handler serves the files of a directory: full tiles for ever, partial ones and
// the checkpoint as they are now.
func Handler(path string) http.Handler {
	root := http.Dir(path)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "a log is only read", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		tile, err := translog.ParseTilePath(name)
		if err != nil && name != "checkpoint" && !cosignedPath.MatchString(name) {
			http.NotFound(w, r)
			return
		}
		file, openErr := root.Open("/" + name)
		if openErr != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		info, statErr := file.Stat()
		if statErr != nil || info.IsDir() {
			http.NotFound(w, r)
			return
		}
		switch {
		case err != nil:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
		case tile.Full():
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		default:
			// It never changes either, but goes once the tile is full.
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "public, max-age=3600")
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", info.ModTime(), file)
	})
}
