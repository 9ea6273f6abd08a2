/**
 * The segments of a package file: cut at the zip's records and at the pieces inside them, never by position, so that equal contents
 * are equal segments in every release. The text of a blockmap is canonical: its digest is signed with the release.
 */
import { createHash } from 'node:crypto'
import { type Blockmap, type Digest, parseDigest, type Segment } from '../model/index.ts'
import { type JudgedEntry, judgePackage, type JudgedPackage } from './judge.ts'
import { minSegmentBytes, recordsPerSegment } from './limits.ts'
import { cutsOf } from './pieces.ts'
import { centralBytes } from './zip-format.ts'

export const sha256Hex = (bytes: Uint8Array | string): Digest => parseDigest(createHash('sha256').update(bytes).digest('hex'))

/** @throws ShoalError as judgePackage does */
export function blockmapOf(bytes: Uint8Array, judged: JudgedPackage = judgePackage(bytes)): Blockmap {
  const ends = [...judged.entries.flatMap(e => entryCuts(bytes, e)), ...directoryCuts(judged), bytes.length]
  let offset = 0
  const segments = ends.map((end): Segment => {
    const segment = [offset, end - offset, sha256Hex(bytes.subarray(offset, end))] as const
    offset = end
    return segment
  })
  return { size: bytes.length, segments }
}

/** One JSON document without white space; `parseBlockmap` of the model reads it. */
export const formatBlockmap = (b: Blockmap): string => JSON.stringify({ size: b.size, segments: b.segments })

/** Ends of an entry's segments; the first one has its local record too. */
function entryCuts(bytes: Uint8Array, e: JudgedEntry): readonly number[] {
  const data = bytes.subarray(e.dataOffset, e.dataOffset + e.compressedSize)
  return (e.method === 0 ? cutsOf(data) : flushCuts(data)).map(cut => e.dataOffset + cut)
}

/** Cuts behind each full flush (an empty stored block, 00 00 FF FF). A chance match cuts too: harmless, it moves with the contents. */
function flushCuts(data: Uint8Array): readonly number[] {
  const cuts: number[] = []
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  let start = 0
  for (let at = view.indexOf(flush); at >= 0; at = view.indexOf(flush, at + 1)) {
    const end = at + flush.length
    if (end - start < minSegmentBytes || end === data.length) continue
    cuts.push(end)
    start = end
  }
  return [...cuts, data.length]
}

const flush = Buffer.from([0, 0, 0xff, 0xff])

/** Ends of the directory's segments, so many records each; the end record follows as the last segment. */
function directoryCuts(judged: JudgedPackage): readonly number[] {
  const cuts: number[] = []
  let at = judged.directoryOffset
  judged.entries.forEach((e, n) => {
    at += centralBytes + Buffer.byteLength(e.path)
    if ((n + 1) % recordsPerSegment === 0 || n + 1 === judged.entries.length) cuts.push(at)
  })
  return cuts
}
