/**
 * What a screen shows is a question to the node and its last answer. An event that may change the answer asks again, at most four times a second,
 * never twice at once, and not while the tab is hidden. While the node is away the last answer stays, and is known to be old.
 */
import { type Signal, signal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { get, isAway, Refusal } from '../api/http.ts'
import { link, onEvent } from './stream.ts'

export interface Query<T> {
  readonly value: Signal<T | null>
  readonly refusal: Signal<Refusal | null>
  /** Asks again now: after a change of this page's own. */
  readonly reload: () => void
}

/** ms between two questions of one query. */
const pauseMs = 250
const againMs = 1000
/** Even if no event says so, ages grow and nodes get lost. */
const idleMs = 10_000

export type Topic = 'nodes' | 'rollouts' | 'releases' | 'people' | 'log'

const topicsOf: Readonly<Record<string, readonly Topic[]>> = {
  nodes: ['nodes', 'rollouts'],
  rollouts: ['rollouts', 'nodes'],
  releases: ['releases'],
  peers: ['nodes'],
  fleet: ['people', 'nodes'],
  audit: ['log'],
}

const concerns = (kind: string, topics: readonly Topic[]): boolean => topicsOf[kind]?.some(topic => topics.includes(topic)) ?? true

class Asked<T> implements Query<T> {
  readonly value = signal<T | null>(null)
  readonly refusal = signal<Refusal | null>(null)
  readonly #path: string
  readonly #topics: readonly Topic[]
  #isBusy = false
  #isDirty = false
  #askedAt = -pauseMs
  #timer: ReturnType<typeof setTimeout> | undefined
  #stop: () => void = () => undefined

  /** @param seed what is shown until the first answer */
  constructor(path: string, topics: readonly Topic[], seed: T | null) {
    this.#path = path
    this.#topics = topics
    this.value.value = seed
  }

  start(): () => void {
    const unheard = onEvent(kind => {
      if (concerns(kind, this.#topics)) this.#later(Math.max(0, this.#askedAt + pauseMs - performance.now()))
    })
    const onVisible = (): void => {
      if (!document.hidden && this.#isDirty) this.reload()
    }
    document.addEventListener('visibilitychange', onVisible)
    // No topics: the answer costs the node a walk over its disk, and changes by this page's own doing.
    const beat = this.#topics.length === 0 ? undefined : setInterval(() => this.#later(0), idleMs)
    this.#stop = () => {
      unheard()
      clearInterval(beat)
      clearTimeout(this.#timer)
      document.removeEventListener('visibilitychange', onVisible)
    }
    this.reload()
    return () => this.#stop()
  }

  readonly reload = (): void => {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isBusy) this.#isDirty = true
    else void this.#ask()
  }

  #later(ms: number): void {
    if (document.hidden || this.#isBusy) this.#isDirty = true
    else this.#timer ??= setTimeout(() => this.reload(), ms)
  }

  async #ask(): Promise<void> {
    this.#isBusy = true
    this.#isDirty = false
    this.#askedAt = performance.now()
    let next = pauseMs
    try {
      this.value.value = await get<T>(this.#path)
      this.refusal.value = null
    } catch (error) {
      if (isAway(error)) this.#isDirty = true
      else this.refusal.value = error instanceof Refusal ? error : new Refusal('INTERNAL', String(error), 0)
      next = againMs
    }
    this.#isBusy = false
    if (this.#isDirty) this.#later(link.value.state === 'live' ? next : againMs)
  }
}

/** The answer to a question, kept up to date while the component is there. Another question keeps the last answer until it has its own. */
export function useQuery<T>(path: string, topics: readonly Topic[]): Query<T> {
  const last = useRef<Asked<T> | null>(null)
  const query = useMemo(() => new Asked<T>(path, topics, last.current?.value.value ?? null), [path])
  last.current = query
  useEffect(() => query.start(), [query])
  return query
}
