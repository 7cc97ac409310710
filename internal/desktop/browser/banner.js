// The banner of a session, run in an isolated world of each top-level document before the page's own scripts.
// The page shares the document with it and nothing else: it sees one element with a closed shadow root. What the
// page does to that element is undone at once, and its style sheets do not reach inside.
(function (args) {
  'use strict'
  if (window.top !== window) return
  // Once for each document, even if the window object outlives one.
  if (globalThis.stead?.document === document) return
  globalThis.stead?.stop()

  const host = document.createElementNS('http://www.w3.org/1999/xhtml', 'div')
  const shadow = host.attachShadow({ mode: 'closed', delegatesFocus: true })
  const sheet = new CSSStyleSheet() // constructed: a page's policy forbids <style>, not this
  sheet.replaceSync(`
    :host {
      all: initial !important; display: block !important; position: fixed !important;
      inset: 0 0 auto 0 !important; width: 100% !important; z-index: 2147483647 !important;
    }
    .bar {
      display: flex; flex-wrap: wrap; align-items: center; gap: 4px 20px; box-sizing: border-box;
      min-height: 46px; padding: 6px 16px; background: #b3001b; color: #fff; font: 15px/1.4 system-ui, sans-serif;
      border-bottom: 2px solid #7a0012;
    }
    .who { flex: 1 1 12em; overflow-wrap: anywhere; }
    .left { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
    button {
      min-height: 32px; padding: 2px 16px; font: inherit; font-weight: 600; color: #8f0016; background: #fff;
      border: 2px solid #fff; border-radius: 6px; cursor: pointer;
    }
    button:hover { background: #ffe9ec; }
    button:focus-visible { outline: 3px solid #fff; outline-offset: 2px; }
    button:disabled { opacity: .7; cursor: default; }
    @media (width < 30rem) {
      .bar { padding: 4px 10px; gap: 2px 12px; justify-content: space-between; font-size: 13px; }
      .who { flex-basis: 100%; }
    }
    @media print { .bar { print-color-adjust: exact; } }
  `)
  shadow.adoptedStyleSheets = [sheet]

  const make = (name, className, text) => {
    const el = document.createElementNS('http://www.w3.org/1999/xhtml', name)
    el.className = className
    el.textContent = text
    return el
  }
  const bar = make('div', 'bar', '')
  bar.setAttribute('role', 'region')
  bar.setAttribute('aria-label', args.text.aria)
  const who = make('div', 'who', args.text.acting + ' ')
  who.append(make('strong', '', args.name), ` (${args.email})`)
  const left = make('div', 'left', '')
  left.setAttribute('role', 'timer')
  const button = make('button', '', args.text.end)
  button.type = 'button'
  bar.append(who, left, button)
  shadow.append(bar)

  function end() {
    button.disabled = true // until the browser closes; if it does not, the person may try again
    setTimeout(() => { button.disabled = false }, 3000)
    globalThis[args.binding]('end')
  }
  button.addEventListener('click', (e) => { if (e.isTrusted) end() })

  // These listeners come before any of the page's, so it can neither see nor stop what a person does in the banner.
  const kinds = ['click', 'pointerdown', 'pointerup', 'mousedown', 'mouseup', 'keydown', 'keypress', 'keyup']
  function guard(e) {
    if (e.target !== host) return
    e.stopImmediatePropagation()
    if (e.type !== 'click' || !e.isTrusted || button.disabled) return
    const r = button.getBoundingClientRect()
    const inside = e.clientX >= r.left && e.clientX <= r.right && e.clientY >= r.top && e.clientY <= r.bottom
    if (e.detail === 0 ? shadow.activeElement === button : inside) end()
  }

  function count() {
    const s = Math.max(0, Math.ceil((args.ends - Date.now()) / 1000))
    const clock = `${String(Math.floor(s / 60)).padStart(2, '0')}:${String(s % 60).padStart(2, '0')}`
    const words = args.text.left.includes('{time}') ? args.text.left.replace('{time}', clock) : `${clock} ${args.text.left}`
    const text = s === 0 ? args.text.ended : words
    if (left.textContent !== text) left.textContent = text
  }

  // While a modal dialog or a full-screen element is open, all that is outside of it takes no input; so the banner
  // moves into it. A video shows no children: there the banner stays outside, to be seen and not to be pressed.
  const home = () => [...document.querySelectorAll('dialog:modal, :fullscreen:not(video, iframe, img, canvas, embed, object)')]
    .pop() ?? document.documentElement

  let watched = null
  const observer = new MutationObserver(() => { if (++repairs < 100) keep() }) // a page that fights back waits for the tick
  let repairs = 0

  function keep() {
    const root = document.documentElement
    if (!root) return
    if (watched !== root) {
      observer.disconnect()
      observer.observe(document, { childList: true })
      observer.observe(root, { childList: true })
      observer.observe(host, { attributes: true })
      watched = root
    }
    for (const { name } of [...host.attributes]) if (name !== 'popover') host.removeAttribute(name)
    if (host.getAttribute('popover') !== 'manual') host.setAttribute('popover', 'manual')
    const at = home()
    if (host.parentNode !== at) at.prepend(host)
    if (!host.matches(':popover-open')) host.showPopover() // the top layer: above every z-index, free of ancestors' styles
    if (!host.checkVisibility()) {
      root.style.setProperty('display', 'block', 'important')
      root.style.setProperty('content-visibility', 'visible', 'important')
    }
    push(root)
  }

  // push moves the page down by the banner's height.
  function push(root) {
    const h = Math.ceil(host.getBoundingClientRect().height) + 'px'
    if (root.style.marginTop !== h || root.style.getPropertyPriority('margin-top') === '') {
      root.style.setProperty('margin-top', h, 'important')
      root.style.setProperty('scroll-padding-top', h, 'important')
    }
  }

  // raise puts the banner above a dialog or a full-screen element that has come after it.
  function raise() {
    const r = button.getBoundingClientRect()
    const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)
    if (top && top !== host && host.matches(':popover-open')) {
      host.hidePopover()
      keep()
    }
  }

  // uncover moves what the page has pinned to the top of the window (a fixed header, say) below the banner.
  function uncover() {
    const h = host.getBoundingClientRect().height
    for (const x of [0.02, 0.25, 0.5, 0.75, 0.98]) {
      for (let el of document.elementsFromPoint(window.innerWidth * x, h / 2)) {
        if (el === host) continue
        for (; el && el !== document.documentElement && el !== document.body; el = el.parentElement) {
          const style = getComputedStyle(el)
          const pinned = style.position === 'fixed' || style.position === 'sticky' ||
            (style.position === 'absolute' && window.scrollY === 0)
          const y = el.getBoundingClientRect().top
          if (pinned && y > -1 && y < h - 1) {
            el.style.setProperty('top', `${(parseFloat(style.top) || 0) + h - y}px`, 'important')
            break
          }
        }
      }
    }
  }

  function tick() {
    repairs = 0
    for (const kind of kinds) window.addEventListener(kind, guard, true) // again: document.open removes them
    keep()
    count()
    if (!watched) return
    raise()
    uncover()
  }

  function stop() {
    clearInterval(timer)
    observer.disconnect()
    for (const kind of kinds) window.removeEventListener(kind, guard, true)
    host.remove()
  }

  observer.observe(document, { childList: true })
  const timer = setInterval(tick, 250)
  window.addEventListener('resize', tick)
  tick()

  // What Stead itself may ask. It lies in the isolated world: no page can see it.
  globalThis.stead = {
    document,
    stop,
    shown: () => host.matches(':popover-open') && host.checkVisibility() && host.getBoundingClientRect().height > 0,
    text: () => bar.innerText,
    end: () => {
      const r = button.getBoundingClientRect()
      return { x: r.left + r.width / 2, y: r.top + r.height / 2 }
    },
  }
})
