// Package shop sells.
package shop

import "fmt"

const Limit = 10

const (
	Red = iota
	Green
)

var ErrClosed = fmt.Errorf("closed")

// Shape has an area.
type Shape interface {
	Area() float64
}

type (
	// Circle is round.
	Circle struct {
		radius float64
	}
	ID = string
)

// Area returns the area.
func (c *Circle) Area() float64 {
	return c.radius
}

func Map[T any](items []T, f func(T) T) []T {
	type pair struct{ a, b T }
	apply := func(item T) T {
		return f(item)
	}
	return []T{apply(items[0])}
}
