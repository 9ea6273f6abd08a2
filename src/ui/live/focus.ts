/**
 * Where somebody without a mouse is. What had the focus may go by what was done with it: a person removed, a rollout aborted. Then the browser begins
 * again at the top of the page; here the focus goes to the heading of what is shown. So it does at another screen, which a reader then tells.
 */
let last: EventTarget | null = null
/** Another screen is shown, and its heading is still to come. */
let isNew = false

function toHeading(): void {
  const heading =
    document.querySelector<HTMLElement>('dialog[open] h2') ??
    document.querySelector<HTMLElement>('#content h1') ??
    document.getElementById('content')
  if (heading === null) return
  heading.tabIndex = -1
  heading.focus()
}

function look(): void {
  if (isNew && document.querySelector('#content h1') !== null) {
    isNew = false
    toHeading()
  } else if (last instanceof Element && !last.isConnected && document.activeElement === document.body) toHeading()
}

/** Watches the page; once. */
export function watchFocus(): void {
  document.addEventListener('focusin', event => {
    last = event.target
    // Who has gone on already is not fetched back.
    isNew = false
  })
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true })
}

/** Another screen than before is drawn. */
export function onScreen(): void {
  isNew = true
  look()
}
