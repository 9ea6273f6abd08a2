/** What another node tells of itself, read field by field: it may be of another version, or lie. What is said here is shown as its word. */
import { asString, Fields, parseNodeId, parseReason } from '../model/index.ts'
import { type AboutView, type ItemView, type KeptView, maxAboutBackups, maxAboutItems, type SlotView } from './about.ts'
import { parsePeer } from './peer-view.ts'

const maxPeers = 500
const maxKinds = 50

const text =
  (max: number) =>
  (value: unknown, where: string): string =>
    asString(value, where, max)
const word = text(100)

function item(value: unknown, where: string): ItemView {
  const f = new Fields(value, where)
  return { kind: f.get('kind', word), id: f.string('id', 1000), name: f.string('name', 1000), bytes: f.integer('bytes'), needs: needs(f) }
}

const needs = (f: Fields): readonly string[] => f.list('needs', word, maxKinds)

function slot(value: unknown, where: string): SlotView {
  const f = new Fields(value, where)
  return {
    digest: f.get('digest', word),
    kind: f.get('kind', word),
    name: f.string('name', 1000),
    bytes: f.integer('bytes'),
    needs: needs(f),
  }
}

function kept(value: unknown, where: string): KeptView {
  const f = new Fields(value, where)
  return {
    id: f.string('id', 200),
    kind: f.get('kind', word),
    at: f.get('at', word),
    own: f.boolean('own'),
    app: f.maybe('app', text(1000), null),
    bytes: f.integer('bytes'),
    state: f.get('state', word),
    reason: f.maybe('reason', parseReason, null),
  }
}

function disk(value: unknown, where: string): AboutView['disk'] {
  const f = new Fields(value, where)
  const total = (v: unknown, w: string): AboutView['disk']['totals'][number] => {
    const of = new Fields(v, w)
    return { kind: of.get('kind', word), count: of.integer('count'), bytes: of.integer('bytes'), reclaimable: of.integer('reclaimable') }
  }
  return {
    freeBytes: f.integer('freeBytes'),
    reserveBytes: f.integer('reserveBytes'),
    packageLimitBytes: f.integer('packageLimitBytes'),
    totals: f.list('totals', total, maxKinds),
    items: f.list('items', item, maxAboutItems),
  }
}

/** @throws ShoalError BAD_REQUEST */
export function parseAbout(value: unknown, where: string): AboutView {
  const f = new Fields(value, where)
  return {
    id: f.get('id', parseNodeId),
    at: f.get('at', word),
    fingerprint: f.get('fingerprint', word),
    slots: f.list('slots', slot, maxAboutItems),
    backups: f.list('backups', kept, maxAboutBackups),
    peers: f.list('peers', parsePeer, maxPeers),
    disk: f.get('disk', disk),
  }
}
