// Stead has a peer in the figures, which is this: OpenTelemetry's storage for exporters, written to by so many callers for so many seconds
// with a flush to disk for each record. It prints the records a second. It is a module of its own, so that nothing of it
// comes into the product.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: otel FOLDER CALLERS SECONDS")
		os.Exit(2)
	}
	rate, err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%.1f\n", rate)
}

func run(ctx context.Context, folder, callers, seconds string) (float64, error) {
	n, err := strconv.Atoi(callers)
	if err != nil {
		return 0, err
	}
	limit, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, err
	}
	factory := filestorage.NewFactory()
	config := factory.CreateDefaultConfig().(*filestorage.Config)
	config.Directory, config.FSync = folder, true
	ext, err := factory.Create(ctx, extension.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}, config)
	if err != nil {
		return 0, err
	}
	if err := ext.Start(ctx, componenttest.NewNopHost()); err != nil {
		return 0, err
	}
	client, err := ext.(storage.Extension).GetClient(ctx, component.KindExporter, component.MustNewID("bench"), "")
	if err != nil {
		return 0, err
	}
	rate, err := measure(ctx, client, n, limit)
	if err != nil {
		return 0, err
	}
	if err := client.Close(ctx); err != nil {
		return 0, err
	}
	return rate, ext.Shutdown(ctx)
}

func measure(ctx context.Context, client storage.Client, callers int, limit float64) (float64, error) {
	var all sync.WaitGroup
	var written atomic.Int64
	errs := make(chan error, callers)
	value := make([]byte, 600)
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			for i := 0; time.Since(began).Seconds() < limit; i++ {
				if err := client.Set(ctx, fmt.Sprintf("%d-%d", caller, i), value); err != nil {
					errs <- err
					return
				}
				written.Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(began).Seconds()
	select {
	case err := <-errs:
		return 0, err
	default:
		return float64(written.Load()) / took, nil
	}
}
