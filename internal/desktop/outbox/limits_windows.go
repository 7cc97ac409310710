package outbox

import system "golang.org/x/sys/windows" // this package has a windows of its own

func freeOn(folder string) (uint64, error) {
	name, err := system.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var free uint64 // for this user, whose quota may be less than the disk
	err = system.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
