package vault

import "context"

// Knows reports whether there are both a device key and a key of that name. Unlike DeviceSigner and Sealer it makes none.
func (v *Vault) Knows(ctx context.Context, name string) (bool, error) {
	for _, n := range []string{deviceKey, name} {
		if _, found, err := v.read(ctx, n); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}
