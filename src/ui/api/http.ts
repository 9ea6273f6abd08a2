/**
 * Asks the node that serves this page. While it changes over, or when the line is cut, a question is asked again for a while: for reading always,
 * for changes only where the node cannot have begun (503 with Retry-After, nothing answered at all is left to the person).
 */
import { signal } from '@preact/signals'
import type { Session } from './types.ts'

const base = '/_shoal/api/v1/'

/** Who is logged in; null: nobody; undefined: not known yet. */
export const session = signal<Session | null | undefined>(undefined)

/** What the node refused, or that it could not be asked. */
export class Refusal extends Error {
  readonly code: string
  readonly status: number
  /** Seconds to wait before the next try, if the node said so. */
  readonly retryAfter: number

  constructor(code: string, message: string, status: number, retryAfter = 0) {
    super(message)
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}

/** The node of this page is away or changes over. That it cannot reach another node is an answer. */
export const isAway = (error: unknown): boolean =>
  error instanceof Refusal && (error.status === 0 || (error.status === 503 && error.code !== 'NO_NODE'))

interface Question {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

async function once(path: string, q: Question): Promise<unknown> {
  const headers: Record<string, string> = { accept: 'application/json', ...q.headers }
  if (q.method !== undefined && q.method !== 'GET') {
    headers['x-csrf'] = session.value?.csrf ?? ''
    headers['content-type'] ??= 'application/json'
  }
  const body = q.body === undefined ? null : q.body instanceof Blob ? q.body : JSON.stringify(q.body)
  let res: Response
  try {
    res = await fetch(base + path, { method: q.method ?? 'GET', headers, body, signal: q.signal ?? null, credentials: 'same-origin' })
  } catch (cause) {
    if (q.signal?.aborted === true) throw cause
    throw new Refusal('NO_NODE', 'the node does not answer', 0)
  }
  const text = await res.text().catch(() => '')
  if (res.ok) return text === '' ? null : JSON.parse(text)
  if (res.status === 401) session.value = null
  throw refusalOf(res, text)
}

function refusalOf(res: Response, text: string): Refusal {
  const after = Number(res.headers.get('retry-after') ?? 0)
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } }
    return new Refusal(error.code, error.message, res.status, after)
  } catch {
    return new Refusal('INTERNAL', `${res.status} ${res.statusText}`, res.status, after)
  }
}

const wait = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms))

/** Reads. @throws Refusal */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await once(path, signal === undefined ? {} : { signal })) as T
}

/** The bytes of something; null: they are not at this node. @throws Refusal */
export async function blob(path: string): Promise<Blob | null> {
  const res = await fetch(base + path, { credentials: 'same-origin' }).catch(() => null)
  if (res === null) throw new Refusal('NO_NODE', 'the node does not answer', 0)
  if (res.ok) return res.blob()
  if (res.status === 404) return null
  throw refusalOf(res, await res.text())
}

/** Tries of a change that met a node in the middle of its switch. */
const tries = 8

/** Changes something; the same key goes with every try, so that the node does it once. @throws Refusal */
export async function post<T>(path: string, body: unknown, method = 'POST'): Promise<T> {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  for (let n = 1; ; n++) {
    try {
      return (await once(path, { method, body, headers })) as T
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 503 || !isAway(error) || n === tries) throw error
      await wait(Math.max(300, error.retryAfter * 500))
    }
  }
}

/** Sends a package and says how far it is, 0 to 1. @throws Refusal */
export function upload<T>(
  path: string,
  file: Blob,
  headers: Readonly<Record<string, string>>,
  onProgress: (part: number) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open('POST', base + path)
    for (const [key, value] of Object.entries({ ...headers, 'x-csrf': session.value?.csrf ?? '' })) xhr.setRequestHeader(key, value)
    xhr.upload.onprogress = e => onProgress(e.lengthComputable ? e.loaded / e.total : 0)
    xhr.onerror = () => reject(new Refusal('NO_NODE', 'the node does not answer', 0))
    xhr.onload = () => {
      const res = new Response(null, { status: xhr.status === 0 ? 500 : xhr.status })
      if (xhr.status >= 200 && xhr.status < 300) resolve(JSON.parse(xhr.responseText) as T)
      else reject(refusalOf(res, xhr.responseText))
    }
    xhr.send(file)
  })
}

/** Says that a session may be there: the cookie itself is not for scripts, and a question in vain would stand in the browser's list of errors. */
const trace = 'shoal-session'

/** Whoever was logged in when the page was loaded still is. */
export async function recall(): Promise<void> {
  if (localStorage.getItem(trace) === null) {
    session.value = null
    return
  }
  try {
    session.value = await get<Session>('session')
  } catch (error) {
    if (isAway(error)) {
      await wait(700)
      return recall()
    }
    session.value = null
  }
}

export async function logIn(name: string, passphrase: string): Promise<void> {
  session.value = await post<Session>('session', { name, passphrase })
  localStorage.setItem(trace, '1')
}

export async function logOut(): Promise<void> {
  await post('session', undefined, 'DELETE').catch(() => undefined)
  session.value = null
  localStorage.removeItem(trace)
}
