package browser

import "stead/internal/desktop/browser/cdp"

// waysAround removes from a realm what reaches a server without a request that the guard is asked about. A page finds
// them missing, as in a browser that is too old for them. What is fetched in the background, the browser itself sends,
// with any method and with the session's cookie, and goes on with when the page is gone.
const waysAround = `for (const name of ['WebSocket', 'WebSocketStream', 'WebTransport', 'RTCPeerConnection', 'webkitRTCPeerConnection'])
	delete globalThis[name]
delete globalThis.ServiceWorkerRegistration?.prototype.backgroundFetch
delete globalThis.BackgroundFetchManager?.prototype.fetch`

// nested are the targets inside of a page or a worker that have realms of their own. Shared workers and service workers
// belong to the browser, which attach asks for them.
var nested = []map[string]any{{"type": "iframe"}, {"type": "worker"}, {"exclude": true}}

// network asks for requests and answers without their contents.
var network = map[string]any{"maxTotalBufferSize": 0, "maxResourceBufferSize": 0, "maxPostDataSize": 0}

// put prepares a page or frame before its first document. Like dress.put it sends and waits for nothing.
func (g *guard) put(c *cdp.Client, session string) []*cdp.Reply {
	replies := []*cdp.Reply{
		c.Send(session, "Network.enable", network),
		c.Send(session, "Target.setAutoAttach", map[string]any{
			"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": nested,
		}),
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mayChange {
		return replies
	}
	for _, name := range []string{"", world} { // a person at the console finds the banner's world, too
		replies = append(replies, c.Send(session, "Page.addScriptToEvaluateOnNewDocument", map[string]any{
			"source": waysAround, "worldName": name, "runImmediately": true,
		}))
	}
	return replies
}

// enter prepares a frame of another site or a worker, which is paused, and lets it go on.
func (b *Browser) enter(session, kind string) {
	switch kind {
	case "iframe":
		b.client.Send(session, "Page.enable", nil)
		b.guard.put(b.client, session)
	default:
		b.client.Send(session, "Network.enable", network)
		b.client.Send(session, "Target.setAutoAttach", map[string]any{
			"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": nested,
		})
		if !b.guard.changes() {
			b.client.Send(session, "Runtime.evaluate", map[string]any{"expression": waysAround})
		}
	}
	b.client.Send(session, "Runtime.runIfWaitingForDebugger", nil)
}

func (g *guard) savesFiles() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.downloads
}

func (g *guard) changes() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mayChange
}
