/**
 * One event stream for all tabs of this browser. HTTP/1.1 gives a page six connections to a node, and a stream holds one for ever: with one stream
 * per tab the seventh tab would never load. So the tabs elect one by a lock, which listens and tells the others. When it closes, the next one
 * gets the lock. This is the only EventSource of the dashboard.
 */
import { signal } from '@preact/signals'
import { session } from '../api/http.ts'

export type Link = 'live' | 'reconnecting'

/** Whether what is shown is the present; and since when it is not. */
export const link = signal<{ readonly state: Link; readonly since: number }>({ state: 'reconnecting', since: Date.now() })

interface Note {
  readonly state?: Link
  readonly kind?: string
}

/** ms until a stream that the node ended or refused is opened again. */
const againMs = 800

/** Kinds of events that the node sends; what a browser is not told by name it does not hear. */
const kinds = ['reset', 'nodes', 'rollouts', 'releases', 'peers', 'fleet', 'audit'] as const

const listeners = new Set<(kind: string) => void>()

/** Calls for every event; `reset` says that anything may have changed. @returns how to stop */
export function onEvent(tell: (kind: string) => void): () => void {
  listeners.add(tell)
  return () => listeners.delete(tell)
}

function take(note: Note): void {
  if (note.state !== undefined && note.state !== link.value.state) {
    link.value = { state: note.state, since: Date.now() }
    // Whatever was said meanwhile was not heard.
    if (note.state === 'live') for (const tell of listeners) tell('reset')
  }
  if (note.kind !== undefined) for (const tell of listeners) tell(note.kind)
}

/** Listens, or waits for its turn to; once per page. */
export function startStream(): void {
  const channel = new BroadcastChannel('shoal-events')
  let now: Link = 'reconnecting'
  let isLeader = false
  const tell = (note: Note): void => {
    if (note.state !== undefined) now = note.state
    take(note)
    channel.postMessage(note)
  }
  channel.onmessage = (message: MessageEvent<Note | 'hello'>) => {
    if (message.data !== 'hello') take(message.data)
    else if (isLeader) channel.postMessage({ state: now })
  }
  channel.postMessage('hello')
  void navigator.locks.request('shoal-events', () => {
    isLeader = true
    lead(tell)
    return new Promise(() => undefined)
  })
}

function lead(tell: (note: Note) => void): void {
  let source: EventSource | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  const close = (): void => {
    clearTimeout(timer)
    source?.close()
    source = null
  }
  const open = (): void => {
    close()
    source = new EventSource('/_shoal/api/v1/events')
    source.onopen = () => tell({ state: 'live' })
    source.onerror = () => {
      tell({ state: 'reconnecting' })
      // A stream that was refused is given up by the browser; one that broke it opens again itself, with the last id.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, againMs)
    }
    for (const kind of kinds) source.addEventListener(kind, () => tell({ kind }))
  }
  // Nobody is logged in: there is nothing to hear.
  session.subscribe(who => {
    if (who === null || who === undefined) close()
    else if (source === null) open()
  })
}
