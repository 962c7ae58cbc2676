package queue_test

import (
	"context"
	"path/filepath"
	"testing"

	"patwatch/queue"
	"patwatch/queue/queuetest"
)

func TestConformance(t *testing.T) {
	queuetest.Run(t, func(ctx context.Context, dir string, o queue.Options) (queuetest.Queue, error) {
		return queue.Open(ctx, filepath.Join(dir, "queue.db"), o)
	})
}
