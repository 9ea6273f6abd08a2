/** What a node alone knows of itself, as lines: its slots, links, what is kept of its data, its disk. */
import { asString, type Code, Fields, ShoalError } from '../model/index.ts'
import { type PeerAnswer, parsePeers } from './answers.ts'
import type { Client } from './client.ts'
import { maxListed } from './limits.ts'
import { ago, bytesText, oneLine } from './output.ts'

interface Thing {
  readonly name: string
  readonly bytes: number
  readonly why: string
}

/** The node is away; or the one that is asked for it is of a version that knows no such question. */
const isNoAnswer: ReadonlySet<string> = new Set<Code>(['NO_NODE', 'NOT_FOUND'])

/** The document; null where the node cannot be asked now, with a note why. */
export async function askAbout(api: Client, id: string, note: (line: string) => void): Promise<unknown> {
  try {
    return await api.get(`nodes/${id}/about`)
  } catch (error) {
    if (!(error instanceof ShoalError) || !isNoAnswer.has(error.code)) throw error
    const older = error.code === 'NOT_FOUND' ? '; or the node that was asked is of an older version' : ''
    note(oneLine(`${error.message}${older}`))
    return null
  }
}

function slot(value: unknown, where: string): Thing {
  const f = new Fields(value, where)
  const name = f.maybe('name', (v, w) => asString(v, w, 1000), '')
  const why = f.list('needs', (v, w) => asString(v, w, 100), 50).join(', ')
  return { name: name === '' ? f.string('digest', 100).slice(0, 12) : name, bytes: f.integer('bytes'), why }
}

const backup = (value: unknown, where: string): Thing => {
  const f = new Fields(value, where)
  return { name: f.string('id', 200), bytes: f.integer('bytes'), why: `${f.string('kind', 100)}, ${f.string('state', 100)}` }
}

const lineOf =
  (what: string) =>
  ({ name, bytes, why }: Thing): string =>
    `  ${what.padEnd(8)} ${oneLine(name)}  ${bytesText(bytes)}${why === '' ? '' : `  ${oneLine(why)}`}`

function peerLine({ name, address, reach, linkedMs, isPinned }: PeerAnswer): string {
  const link = linkedMs === null ? reach : `linked for ${ago(linkedMs)}`
  return `  peer     ${oneLine(name)}  ${link}${isPinned ? '  pinned' : ''}  ${oneLine(address)}`
}

export function aboutLines(document: unknown): readonly string[] {
  if (document === null) return []
  const f = new Fields(document, 'about')
  const disk = new Fields(f.raw('disk'), 'about.disk')
  const totals = disk.list('totals', (v, w) => new Fields(v, w).integer('reclaimable'), 100)
  const mayGo = totals.reduce((sum, bytes) => sum + bytes, 0)
  return [
    ...f.list('slots', slot, maxListed).map(lineOf('slot')),
    ...parsePeers(document).map(peerLine),
    ...f.list('backups', backup, maxListed).map(lineOf('kept')),
    `  disk     ${bytesText(disk.integer('freeBytes'))} free, ${mayGo === 0 ? 'nothing' : bytesText(mayGo)} may go`,
  ]
}
