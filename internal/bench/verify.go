package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"

	"stead/internal/platform/sqlite"
)

// verifyLedger proves a platform's file as stead audit verify does: every record, hash, checkpoint and signature. The
// floor hashes as many bytes on one processor, which no verifier can do without.
func verifyLedger(ctx context.Context, b bench) ([]row, error) {
	path, key, err := ledgerFile(ctx, b.folder, b.size.verified)
	if err != nil {
		return nil, err
	}
	vkey, err := audit.LogKey(origin, key)
	if err != nil {
		return nil, err
	}
	keys, err := audit.ParseLogKeys(vkey)
	if err != nil {
		return nil, err
	}
	var proof audit.LedgerProof
	verify := func() (float64, error) {
		began := time.Now()
		evidence, err := sqlite.OpenEvidence(ctx, path)
		if err != nil {
			return 0, err
		}
		proof, err = audit.VerifyLedger(evidence, audit.LedgerCheck{Keys: keys})
		if err = errors.Join(err, evidence.Close()); err == nil && proof.Checkpoint.Size != int64(b.size.verified) {
			err = fmt.Errorf("%d records were verified", proof.Checkpoint.Size)
		}
		return time.Since(began).Seconds(), err
	}
	var busy []float64
	ours := func() (float64, error) {
		before := processorTime()
		took, err := verify()
		busy = append(busy, processorTime()-before)
		return took, err
	}
	floor := func() (float64, error) {
		began, record := time.Now(), make([]byte, recordSize)
		for range b.size.verified {
			sum := sha256.Sum256(record)
			copy(record, sum[:])
		}
		return time.Since(began).Seconds(), nil
	}
	found, err := medians(ctx, b.size.rounds, ours, floor)
	if err != nil {
		return nil, err
	}
	unit := fmt.Sprintf("s, %d records", b.size.verified)
	aim := 2 * float64(b.size.verified) / 1e6
	value := row{Name: "audit.verify", Value: found[0], Unit: unit}.atMost(aim)
	return []row{value.against("SHA-256 of the records alone, one processor", found[1]),
		{Name: "audit.verify.processor", Value: median(busy), Unit: "s of all processors"},
		{Name: "audit.verify.signatures", Value: float64(proof.Checkpoints), Unit: "checkpoints, all verified in it"}}, nil
}
