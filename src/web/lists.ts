/** Lists of the API: filters, pages, counts, all alike. */
import { asOneOf, healths, outcomes, ShoalError, steps } from '../model/index.ts'
import type { NodePicture } from './node-views.ts'

const defaultLimit = 1000
const maxLimit = 10_000

export interface Page<T> {
  readonly items: readonly T[]
  readonly counts: Readonly<Record<string, number>>
  /** Pass as `after` for the next page; null: this was the last. */
  readonly next: string | null
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>

export const one = (query: Query, key: string): string | undefined => {
  const value = query[key]
  if (value !== undefined && typeof value !== 'string') throw new ShoalError('BAD_REQUEST', `query ${key}: is given more than once`)
  return value
}

const among = <T extends string>(query: Query, key: string, list: readonly T[]): T | undefined => {
  const value = one(query, key)
  return value === undefined ? undefined : asOneOf(value, `query ${key}`, list)
}

export function limitOf(query: Query): number {
  const text = one(query, 'limit')
  const limit = text === undefined ? defaultLimit : Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
    throw new ShoalError('BAD_REQUEST', `query limit: "${text ?? ''}" is no count from 1 to ${maxLimit}`)
  return limit
}

export function paged<T>(
  all: readonly T[],
  query: Query,
  idOf: (item: T) => string,
  counts: Readonly<Record<string, number>> = {},
): Page<T> {
  const limit = limitOf(query)
  const after = one(query, 'after')
  const found = after === undefined ? -1 : all.findIndex(item => idOf(item) === after)
  if (after !== undefined && found === -1) throw new ShoalError('NOT_FOUND', `query after: there is no ${after}`)
  const items = all.slice(found + 1, found + 1 + limit)
  const last = items[items.length - 1]
  const isMore = found + 1 + limit < all.length
  return { items, counts: { total: all.length, ...counts }, next: isMore && last !== undefined ? idOf(last) : null }
}

const count = <T>(items: readonly T[], is: (item: T) => boolean): number => items.filter(is).length

export function pageOfNodes(all: readonly NodePicture[], query: Query): Page<NodePicture> {
  const step = among(query, 'step', steps)
  const outcome = among(query, 'outcome', outcomes)
  const health = among(query, 'health', healths)
  const tag = one(query, 'tag')
  const q = one(query, 'q')?.toLowerCase()
  const matching = all.filter(
    n =>
      (step === undefined || n.step === step) &&
      (outcome === undefined || n.outcome === outcome) &&
      (health === undefined || n.health === health) &&
      (tag === undefined || n.tags.includes(tag)) &&
      (q === undefined || n.name.toLowerCase().includes(q) || n.id.startsWith(q) || n.address.includes(q)),
  )
  return paged(matching, query, n => n.id, {
    ok: count(matching, n => n.health === 'ok' && n.reach !== 'lost'),
    lost: count(matching, n => n.reach === 'lost'),
  })
}

interface Named {
  readonly id: string
  readonly name: string
  readonly version: string
}

/** With `q` those whose `name@version` has it; with `newest=1` the highest version first, of the last name first. */
export function releasesAsked<T extends Named>(all: readonly T[], query: Query): readonly T[] {
  const q = one(query, 'q')?.toLowerCase()
  const found = q === undefined ? all : all.filter(r => `${r.name}@${r.version}`.toLowerCase().includes(q))
  return one(query, 'newest') === '1' ? found.toReversed() : found
}

/** One release, by `name@version` or its id. @throws ShoalError NOT_FOUND */
export function findRelease<T extends Named>(all: readonly T[], text: string): T {
  const found = all.find(r => r.id === text || `${r.name}@${r.version}` === text)
  if (found === undefined) throw new ShoalError('NOT_FOUND', `there is no release ${text.slice(0, 200)}`)
  return found
}
