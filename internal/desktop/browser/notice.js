// A sentence for the person, at the bottom of the page for some seconds. It runs in the banner's isolated world: the
// page sees one element with a closed shadow root.
(function (words) {
  'use strict'
  if (!document.documentElement) return
  globalThis.steadNotice?.remove()
  const host = document.createElementNS('http://www.w3.org/1999/xhtml', 'div')
  const shadow = host.attachShadow({ mode: 'closed' })
  const sheet = new CSSStyleSheet() // constructed: a page's policy forbids <style>, not this
  sheet.replaceSync(`
    :host {
      all: initial !important; display: block !important; position: fixed !important; pointer-events: none !important;
      inset: auto 0 24px 0 !important; width: auto !important; z-index: 2147483647 !important; background: none !important;
      border: 0 !important;
    }
    p {
      box-sizing: border-box; max-width: 40em; width: fit-content; margin: 0 auto; padding: 12px 20px; border-radius: 8px;
      background: #1c2430; color: #fff; font: 15px/1.4 system-ui, sans-serif; box-shadow: 0 2px 12px rgb(0 0 0 / .4);
    }
  `)
  shadow.adoptedStyleSheets = [sheet]
  const text = document.createElementNS('http://www.w3.org/1999/xhtml', 'p')
  text.setAttribute('role', 'status')
  shadow.append(text)
  host.setAttribute('popover', 'manual')
  document.documentElement.append(host)
  host.showPopover()
  text.textContent = words // after it is there, so that a screen reader says it
  globalThis.steadNotice = { words, remove: () => { clearTimeout(timer); host.remove() } }
  const timer = setTimeout(() => host.remove(), 6000)
})
