package outbox

import "golang.org/x/sys/windows"

func freeOn(folder string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var free uint64 // for this user, whose quota may be less than the disk
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
