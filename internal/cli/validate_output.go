package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// validateReport is the JSON form of what validate finds.
type validateReport struct {
	Valid    bool                   `json:"valid"`
	Files    int                    `json:"files"`
	Errors   int                    `json:"errors"`
	Warnings int                    `json:"warnings"`
	Problems []valuesschema.Problem `json:"problems"`
}

func writeProblems(w io.Writer, format string, problems []valuesschema.Problem, files int) error {
	errs, warnings := valuesschema.Count(problems)
	if format == "json" {
		if problems == nil {
			problems = []valuesschema.Problem{}
		}
		return printout.JSON(w, validateReport{Valid: errs == 0, Files: files, Errors: errs, Warnings: warnings, Problems: problems})
	}
	var b strings.Builder
	for _, p := range problems {
		if format == "github" {
			b.WriteString(annotation(p))
			continue
		}
		b.WriteString(p.String() + "\n")
	}
	if format == "text" {
		last := summary(errs, warnings, files)
		if colorful(w) {
			glyph, rest, _ := strings.Cut(last, " ")
			for _, mark := range marks {
				if strings.Contains(mark, glyph) {
					last = mark + rest
				}
			}
		}
		b.WriteString(last)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// refuseInvalid is how a command ends, having printed the problems, when the values
// are invalid; consequence says so, and what was not done. nil when they are valid.
func refuseInvalid(cmd *cobra.Command, doc *valuesschema.Document, files int, consequence string) error {
	problems := doc.Validate()
	if errs, _ := valuesschema.Count(problems); errs == 0 {
		return nil
	}
	if err := writeProblems(cmd.ErrOrStderr(), "brief", problems, files); err != nil {
		return err
	}
	return no(errors.New(consequence))
}

func summary(errs, warnings, files int) string {
	of := text.Count(files, "file")
	if files == 0 {
		of = "the arguments"
	}
	switch {
	case errs > 0:
		return fmt.Sprintf("× invalid: %s, %s in %s\n", text.Count(errs, "error"), text.Count(warnings, "warning"), of)
	case warnings > 0:
		return fmt.Sprintf("‼ valid, with %s in %s\n", text.Count(warnings, "warning"), of)
	}
	return fmt.Sprintf("√ valid: %s\n", of)
}

// annotation is a workflow command of GitHub Actions. Percent, line ends and,
// in properties, colon and comma are escaped, so that no value ends it early.
func annotation(p valuesschema.Problem) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var props []string
	if p.File != "" {
		props = append(props, "file="+property.Replace(p.File))
	}
	if p.Line > 0 {
		props = append(props, fmt.Sprintf("line=%d,col=%d", p.Line, p.Column))
	}
	props = append(props, "title="+property.Replace(p.Rule))
	p.File, p.Line = "", 0
	text := strings.TrimPrefix(p.String(), string(p.Severity)+": ")
	return fmt.Sprintf("::%s %s::%s\n", p.Severity, strings.Join(props, ","), data.Replace(text))
}
