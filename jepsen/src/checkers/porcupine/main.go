// Command judge has porcupine judge histories of registers.
//
// It reads a JSON object from standard input: for each key a list of calls
// [invoked, completed, kind, first, second], with completed below zero if the
// end of a call is not known, and the kinds 0 (read first), 1 (swap first for
// second) and 2 (overwrite what is there by first); value 0 is absent. It
// prints a JSON object that gives "Ok", "Illegal" or "Unknown" for each key.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	read = iota
	swap
	overwrite
)

// deadline of the search for one key.
const deadline = 20 * time.Second

type call [5]int64

func step(state, input, output any) (bool, any) {
	value, asked, known := state.(int64), input.(call), output.(bool)
	kind, first, second := asked[2], asked[3], asked[4]
	switch {
	case kind == read:
		return value == first, value
	case kind == swap && value == first:
		return true, second
	case kind == overwrite && value != 0:
		return true, first
	}
	// Whose end is not known may have been refused.
	return !known, value
}

func main() {
	histories := map[string][]call{}
	if err := json.NewDecoder(os.Stdin).Decode(&histories); err != nil {
		fmt.Fprintln(os.Stderr, "judge: read the histories:", err)
		os.Exit(1)
	}
	model := porcupine.Model{
		Init: func() any { return int64(0) },
		Step: step,
	}
	judgements := map[string]string{}
	for key, calls := range histories {
		operations := make([]porcupine.Operation, len(calls))
		for index, asked := range calls {
			known := asked[1] >= 0
			end := asked[1]
			if !known {
				end = math.MaxInt64
			}
			operations[index] = porcupine.Operation{
				ClientId: index, Input: asked, Call: asked[0], Output: known, Return: end,
			}
		}
		result := porcupine.CheckOperationsTimeout(model, operations, deadline)
		judgements[key] = string(result)
	}
	if err := json.NewEncoder(os.Stdout).Encode(judgements); err != nil {
		fmt.Fprintln(os.Stderr, "judge: write the judgements:", err)
		os.Exit(1)
	}
}
