// Command patwatch finds leaked access tokens. See patwatch --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"patwatch/cmd/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
