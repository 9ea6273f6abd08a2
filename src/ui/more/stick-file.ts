/**
 * The file of `shoal export`, read and written in the browser: a line that says what it is, a line of JSON that lists what follows with sizes and
 * SHA-256, then the bytes. What is in it the node judges; here only is seen whether it is whole.
 */
import { Refusal } from '../api/http.ts'

const magic = 'shoal-export 1\n'
const maxHeaderBytes = 8 << 20

export interface Entry {
  readonly kind: 'facts' | 'package'
  readonly size: number
  readonly sha256: string
}

export interface StickFile {
  readonly fleet: string
  readonly entries: readonly (Entry & { readonly bytes: Blob })[]
}

const hex = (bytes: ArrayBuffer): string => [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, '0')).join('')

export const sha256 = async (blob: Blob): Promise<string> => hex(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))

export function writeStick(fleet: string, parts: readonly (Entry & { readonly bytes: Blob })[]): Blob {
  const entries = parts.map(({ kind, size, sha256 }) => ({ kind, size, sha256 }))
  const header = JSON.stringify({ fleet, at: new Date().toISOString(), entries })
  return new Blob([magic, header, '\n', ...parts.map(part => part.bytes)], { type: 'application/octet-stream' })
}

/** @throws Refusal BAD_REQUEST: no such file, or not all of it. @param broken what is said then */
export async function readStick(file: Blob, broken: string): Promise<StickFile> {
  const fail = (code: string): never => {
    throw new Refusal(code, broken, 400)
  }
  const head = await file.slice(0, maxHeaderBytes).text()
  const end = head.indexOf('\n', magic.length)
  if (!head.startsWith(magic) || end === -1) return fail('BAD_REQUEST')
  const header = JSON.parse(head.slice(magic.length, end)) as { readonly fleet: string; readonly entries: readonly Entry[] }
  let at = new Blob([head.slice(0, end + 1)]).size
  const entries = header.entries.map(entry => {
    const bytes = file.slice(at, at + entry.size)
    at += entry.size
    return { ...entry, bytes }
  })
  if (at !== file.size) return fail('DIGEST_MISMATCH')
  const facts = entries.find(entry => entry.kind === 'facts')
  // Packages are compared by the node while they come in.
  if (facts === undefined || (await sha256(facts.bytes)) !== facts.sha256) return fail('DIGEST_MISMATCH')
  return { fleet: header.fleet, entries }
}
