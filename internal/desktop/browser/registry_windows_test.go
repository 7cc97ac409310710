package browser

import (
	"reflect"
	"testing"

	"golang.org/x/sys/windows/registry"
)

// The one piece of finding that only Windows itself can try.
func TestSystemRegistry(t *testing.T) {
	const path = `Software\stead-test`
	k, _, err := registry.CreateKey(registry.CURRENT_USER, path, registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := registry.CreateKey(k, "URLBlocklist", registry.ALL_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		list.Close()
		k.Close()
		_ = registry.DeleteKey(registry.CURRENT_USER, path+`\URLBlocklist`)
		_ = registry.DeleteKey(registry.CURRENT_USER, path)
	})
	for _, err := range []error{
		k.SetStringValue("", `"C:\x.exe" --flag`), k.SetDWordValue("Number", 2), k.SetExpandStringValue("Expand", `%SystemDrive%\x`),
		list.SetStringValue("2", "b"), list.SetStringValue("1", "a"), k.SetBinaryValue("Binary", []byte{1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var r systemRegistry
	here := key{hkcu, 64, path}
	for name, want := range map[string]string{"": `"C:\x.exe" --flag`, "Number": "2", "Expand": `C:\x`} {
		if got, err := r.Value(here, name); err != nil || got != want {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
	if got, err := values(r, here.sub("URLBlocklist")); err != nil || !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("the list is %q, %v", got, err)
	}
	if got, err := r.Subkeys(here); err != nil || !reflect.DeepEqual(got, []string{"URLBlocklist"}) {
		t.Errorf("the keys are %q, %v", got, err)
	}
	if _, err := r.Value(here, "Binary"); err == nil || missing(err) {
		t.Errorf("a value of another type: %v", err)
	}
	for _, view := range views {
		for _, hive := range []string{hkcu, hklm} {
			_, err1 := r.Value(key{hive, view, `Software\stead-none`}, "x")
			_, err2 := r.Names(key{hive, view, `Software\stead-none`})
			_, err3 := r.Subkeys(key{hive, view, `Software\stead-none`})
			if !missing(err1) || !missing(err2) || !missing(err3) {
				t.Errorf("%s %d: what is not there is %v, %v, %v", hive, view, err1, err2, err3)
			}
		}
	}
}
