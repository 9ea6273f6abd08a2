/** What a node alone knows of itself, as lines: its slots, links, what is kept of its data, its disk. */
import { asInteger, asString, Fields, ShoalError } from '../model/index.ts'
import { parsePeers } from './answers.ts'
import type { Client } from './client.ts'
import { ago, bytesText, oneLine } from './output.ts'

const maxListed = 500

interface Thing {
  readonly name: string
  readonly bytes: number
  readonly why: string
}

const count = (value: unknown, where: string): number => asInteger(value, where)

/** The document; null where the node cannot be asked now, with a note why. */
export async function askAbout(api: Client, id: string, note: (line: string) => void): Promise<unknown> {
  try {
    return await api.get(`nodes/${id}/about`)
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code !== 'NO_NODE') throw error
    note(oneLine(error.message))
    return null
  }
}

function slot(value: unknown, where: string): Thing {
  const f = new Fields(value, where)
  const name = f.maybe('name', (v, w) => asString(v, w, 1000), '')
  const why = f.list('needs', (v, w) => asString(v, w, 100), 50).join(', ')
  return { name: name === '' ? f.string('digest', 100).slice(0, 12) : name, bytes: f.get('bytes', count), why }
}

const backup = (value: unknown, where: string): Thing => {
  const f = new Fields(value, where)
  return { name: f.string('id', 200), bytes: f.get('bytes', count), why: `${f.string('kind', 100)}, ${f.string('state', 100)}` }
}

const lineOf =
  (what: string) =>
  ({ name, bytes, why }: Thing): string =>
    `  ${what.padEnd(8)} ${oneLine(name)}  ${bytesText(bytes)}${why === '' ? '' : `  ${oneLine(why)}`}`

export function aboutLines(document: unknown): readonly string[] {
  if (document === null) return []
  const f = new Fields(document, 'about')
  const disk = new Fields(f.raw('disk'), 'about.disk')
  const totals = disk.list('totals', (v, w) => new Fields(v, w).get('reclaimable', count), 100)
  const mayGo = totals.reduce((sum, bytes) => sum + bytes, 0)
  const links = f.list('peers', (v, w) => new Fields(v, w).maybe('linkedMs', count, null), maxListed)
  return [
    ...f.list('slots', slot, maxListed).map(lineOf('slot')),
    ...parsePeers(document).map((peer, at) => {
      const ms = links[at] ?? null
      const link = ms === null ? peer.reach : `linked for ${ago(ms)}`
      return `  peer     ${oneLine(peer.name)}  ${link}${peer.isPinned ? '  pinned' : ''}  ${oneLine(peer.address)}`
    }),
    ...f.list('backups', backup, maxListed).map(lineOf('kept')),
    `  disk     ${bytesText(disk.get('freeBytes', count))} free, ${mayGo === 0 ? 'nothing' : bytesText(mayGo)} may go`,
  ]
}
