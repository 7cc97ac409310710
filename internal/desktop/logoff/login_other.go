//go:build !linux

package logoff

type login struct{}

func openLogin(func(Event)) *login { return nil }

func (*login) release() {}
func (*login) close()   {}
