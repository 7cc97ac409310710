// Package browser runs one impersonated session in a browser that shares nothing with the agent's own.
//
// It finds a Chromium-family browser, starts it on a fresh folder with a pipe as its only control, proves that it
// obeys, opens one in-memory context with the session's cookie and banner, tells when the window is gone, and
// leaves no file behind. The pipe is also the dead man's switch: when this process ends, for whichever reason, the
// browser quits by itself; on Windows its job ends as well, and it with that.
//
// What starts a browser is decided by PlanLaunch, as a value and for any system; acting on it is in process.go and in
// system_*.go, one for each of Linux, macOS and Windows.
//
// A browser without a usable pipe (Firefox; one whose policy forbids it) can be opened by a page that is served once,
// and is then only known by its process: see LaunchPrivate.
package browser
