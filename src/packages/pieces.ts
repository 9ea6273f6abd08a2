/**
 * Content-defined pieces: where a large file is cut depends on the 32 bytes before the cut and on nothing else, so an edit moves
 * few cuts. Each piece is deflated afresh and all but the last end with a full flush; together they are one ordinary deflate stream.
 */
import { constants, deflateRawSync } from 'node:zlib'
import { maxPieceBytes, minPieceBytes, pieceBits, pieceThreshold } from './limits.ts'

/** 256 fixed numbers without pattern (xorshift32): part of the format, never to change. */
const gear = ((): Uint32Array => {
  const table = new Uint32Array(256)
  let x = 0x5f3759df
  for (let at = 0; at < 256; at++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    table[at] = x >>> 0
  }
  return table
})()

/** Ends of the pieces of `bytes`, the last one its length. */
export function cutsOf(bytes: Uint8Array): readonly number[] {
  if (bytes.length < pieceThreshold) return [bytes.length]
  const cuts: number[] = []
  let start = 0
  let hash = 0
  for (let at = 0; at < bytes.length; at++) {
    hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0
    const length = at + 1 - start
    if (length < minPieceBytes || (hash >>> (32 - pieceBits) !== 0 && length < maxPieceBytes)) continue
    cuts.push(at + 1)
    start = at + 1
  }
  if (start < bytes.length) cuts.push(bytes.length)
  return cuts
}

/** One raw deflate stream of `bytes`, piece by piece. */
export function deflatePieces(bytes: Uint8Array): Buffer {
  let start = 0
  const pieces = cutsOf(bytes).map(end => {
    const isLast = end === bytes.length
    const piece = deflateRawSync(bytes.subarray(start, end), {
      level: 9,
      finishFlush: isLast ? constants.Z_FINISH : constants.Z_FULL_FLUSH,
    })
    start = end
    return piece
  })
  return Buffer.concat(pieces)
}
