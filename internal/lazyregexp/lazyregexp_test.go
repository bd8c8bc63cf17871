package lazyregexp

import "testing"

func TestAnExpressionIsCompiledOnce(t *testing.T) {
	number := New(`^\d+$`)
	if first, second := number(), number(); first != second {
		t.Error("two calls returned different expressions")
	}
	if !number().MatchString("42") || number().MatchString("x") {
		t.Error("the expression does not match as written")
	}
}

func TestAnInvalidExpressionPanicsInTests(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an invalid expression did not panic")
		}
	}()
	New(`(`)
}
