package browser

import (
	"slices"
	"strconv"

	"golang.org/x/sys/windows/registry"
)

// systemRegistry is the real one. Its missing keys and values are fs.ErrNotExist already: registry.ErrNotExist is
// ERROR_FILE_NOT_FOUND, which errors.Is knows.
type systemRegistry struct{}

func (systemRegistry) open(k key) (registry.Key, error) {
	hive := registry.CURRENT_USER
	if k.hive == hklm {
		hive = registry.LOCAL_MACHINE
	}
	access := uint32(registry.QUERY_VALUE | registry.ENUMERATE_SUB_KEYS | registry.WOW64_64KEY)
	if k.view == 32 {
		access = registry.QUERY_VALUE | registry.ENUMERATE_SUB_KEYS | registry.WOW64_32KEY
	}
	return registry.OpenKey(hive, k.path, access)
}

func (s systemRegistry) Value(k key, name string) (string, error) {
	opened, err := s.open(k)
	if err != nil {
		return "", err
	}
	defer opened.Close()
	_, kind, err := opened.GetValue(name, nil)
	if err != nil {
		return "", err
	}
	if kind == registry.DWORD || kind == registry.QWORD {
		n, _, err := opened.GetIntegerValue(name)
		return strconv.FormatUint(n, 10), err
	}
	text, _, err := opened.GetStringValue(name)
	if err == nil && kind == registry.EXPAND_SZ {
		return registry.ExpandString(text)
	}
	return text, err
}

func (s systemRegistry) Names(k key) ([]string, error) {
	opened, err := s.open(k)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	names, err := opened.ReadValueNames(-1)
	slices.Sort(names)
	return names, err
}

func (s systemRegistry) Subkeys(k key) ([]string, error) {
	opened, err := s.open(k)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	names, err := opened.ReadSubKeyNames(-1)
	slices.Sort(names)
	return names, err
}
