/** What the node answers about its disk, as far as the command line reads it. */
import { asString, Fields } from '../model/index.ts'

interface DiskItemAnswer {
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly bytes: number
  readonly needs: readonly string[]
}

export interface DiskAnswer {
  readonly freeBytes: number
  readonly reserveBytes: number
  /** 0: none. */
  readonly packageLimitBytes: number
  readonly totals: readonly { readonly kind: string; readonly count: number; readonly bytes: number; readonly reclaimable: number }[]
  readonly items: readonly DiskItemAnswer[]
}

export interface PrunedAnswer extends DiskAnswer {
  readonly removed: readonly DiskItemAnswer[]
  readonly removedBytes: number
  readonly failed: readonly { readonly id: string; readonly message: string }[]
}

function diskItem(value: unknown, where: string): DiskItemAnswer {
  const f = new Fields(value, where)
  const needs = f.list('needs', (v, w) => asString(v, w, 40), 40)
  return { kind: f.string('kind', 40), id: f.string('id', 300), name: f.string('name', 300), bytes: f.integer('bytes'), needs }
}

export function parseDisk(value: unknown): DiskAnswer {
  const f = new Fields(value, 'disk')
  const total = (each: unknown, where: string): DiskAnswer['totals'][number] => {
    const t = new Fields(each, where)
    return { kind: t.string('kind', 40), count: t.integer('count'), bytes: t.integer('bytes'), reclaimable: t.integer('reclaimable') }
  }
  return {
    freeBytes: f.integer('freeBytes'),
    reserveBytes: f.integer('reserveBytes'),
    packageLimitBytes: f.integer('packageLimitBytes'),
    totals: f.list('totals', total, 100),
    items: f.list('items', diskItem, 100_000),
  }
}

export function parsePruned(value: unknown): PrunedAnswer {
  const f = new Fields(value, 'disk')
  const failed = (each: unknown, where: string): PrunedAnswer['failed'][number] => {
    const e = new Fields(each, where)
    return { id: e.string('id', 300), message: e.string('message', 10_000) }
  }
  return {
    ...parseDisk(value),
    removed: f.list('removed', diskItem, 100_000),
    removedBytes: f.integer('removedBytes'),
    failed: f.list('failed', failed, 100_000),
  }
}
