package cli

import (
	"os"
	"strconv"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"
)

// copiesCount sees that a size is refused which the configured copies prove to be another one, unless that is insisted on.
func (d *drill) copiesCount(kept string) {
	d.Helper()
	text, err := os.ReadFile(kept)
	if err != nil {
		d.Fatal(err)
	}
	c, err := audit.ParseCheckpoint(text)
	if err != nil {
		d.Fatal(err)
	}
	folder := d.path("copies")
	if err := os.Mkdir(folder, 0o700); err != nil {
		d.Fatal(err)
	}
	d.write("copies/checkpoint", string(text))
	config, err := os.ReadFile(d.config)
	if err != nil {
		d.Fatal(err)
	}
	with := d.write("copies.json", strings.Replace(string(config), "{", `{"copies":[{"folder":`+strconv.Quote(folder)+`},{"folder":`+strconv.Quote(d.path("away"))+`}],`, 1))
	declare := func(size int64, more ...string) []string {
		return append([]string{"platform", "restored", "--config", with, "--lost", strconv.FormatInt(size, 10), "--why", "disk"}, more...)
	}
	code, out, errOut := command(d.T, declare(c.Size-1)...)
	if code != ExitCode(stead.CodeBadRequest) || !strings.Contains(errOut, "as "+folder) || !strings.Contains(errOut, "away/checkpoint was not looked at") || out != "" {
		d.Errorf("less than a copy proves: exit %d, %s%s", code, out, errOut)
	}
	code, out, errOut = command(d.T, declare(c.Size+1)...)
	if code != ExitCode(stead.CodeBadRequest) || !strings.Contains(errOut, "the largest copy, "+folder) || out != "" {
		d.Errorf("more than any copy proves: exit %d, %s%s", code, out, errOut)
	}
	for _, args := range [][]string{declare(c.Size), declare(c.Size+1, "--anyway")} {
		_, out, errOut = command(d.T, args...)
		if !strings.Contains(out, "This is going to be declared") || !strings.Contains(errOut, "0 of 2 signatures") {
			d.Errorf("%v: %s%s", args, out, errOut)
		}
	}
}
