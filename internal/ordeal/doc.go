// Package ordeal is for tests: it puts a device's outbox, the way from it to the platform, and the ledger through what
// may happen to them, and holds them to the promise that nothing is lost and that whatever was changed is reported.
// Processes are killed, the power is cut on either side, each call of the system fails once, the disk is full, files are
// damaged and recovered or set back, and the platform answers nonsense for a week. What a device has forgotten must stand
// in the log where its receipt says.
//
// It is not built under the race detector, which makes the platform's database ten times slower and leaves time for
// nothing else; the packages' own tests run under it.
//
// What is drawn by chance comes from one seed, which is printed; STEAD_SEED repeats it. SOAK=n multiplies the rounds,
// and SIZE=full makes the week as long as it would be. An ordeal that a machine has no means for says so; with
// STEAD_ORDEALS=all that is a failure.
package ordeal
