package limiter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var ErrClosed = errors.New("limiter: closed")

// Limiter lets n callers through at a time.
type Limiter struct {
	mu     sync.Mutex
	slots  chan struct{}
	closed bool
}

func New(n int) *Limiter { return &Limiter{slots: make(chan struct{}, n)} }

func (l *Limiter) Do(ctx context.Context, f func() error) (err error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return fmt.Errorf("waited %v: %w", 10*time.Millisecond, ctx.Err())
	}
	if l.mu.Lock(); l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.mu.Unlock()
	return f()
}
