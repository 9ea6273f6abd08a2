/**
 * Fetches a package: what is on disk is copied, the rest comes from several peers at once; every segment, then the whole, is verified.
 * A cut at any moment costs what was under way. The decisions are core/transfer.ts's; here are requests, files and the clock.
 */
import { type Blockmap, codeOf, type NodeId, type PackageRef, ShoalError } from '../model/index.ts'
import type { PackageStore, PartFile } from '../packages/index.ts'
import { obtainBlockmap } from './blockmap-fetch.ts'
import { Download } from './download.ts'
import { unavailableAfterMs } from './limits.ts'
import type { PeerRequest } from './peer-request.ts'
import { firstOfDirectory, makeDirectory, reuseSegments } from './reuse.ts'
import { type Fetched, Tally } from './tally.ts'

export interface Progress {
  /** Bytes of the package that are here and right, and all of them. */
  readonly done: number
  readonly total: number
}

export interface FetchOptions {
  /** As a signed release names it. */
  readonly ref: PackageRef
  /** Whom to ask, read again and again: links come and go. It may name peers that have nothing (yet). */
  readonly peers: () => readonly NodeId[]
  readonly request: PeerRequest
  readonly store: PackageStore
  /** 0 to below 1. */
  readonly rng: () => number
  readonly signal: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** Called once per peer that sent what is not signed. */
  readonly onLiar?: (peer: NodeId) => void
  /** How long nobody may show life, ms. */
  readonly unavailableAfterMs?: number
}

/**
 * Returns when the package is in the store. One call at a time for one digest.
 * @throws ShoalError PACKAGE_UNAVAILABLE, DISK_FULL (the part is removed), DIGEST_MISMATCH, CONFLICT; the signal's reason
 */
export async function fetchPackage(options: FetchOptions): Promise<Fetched> {
  const { ref, store } = options
  options.signal.throwIfAborted()
  if (store.has(ref.digest)) return { fetched: 0, reused: 0, sources: 0 }
  const tally = new Tally(options.onLiar)
  const blockmap = await obtainBlockmap({
    ...options,
    ...tally.listeners(),
    unavailableAfterMs: options.unavailableAfterMs ?? unavailableAfterMs,
  })
  if (blockmap.size !== ref.size)
    throw new ShoalError(
      'DIGEST_MISMATCH',
      `package ${ref.digest}: its blockmap covers ${blockmap.size} bytes, the release says ${ref.size}`,
    )
  try {
    await fill(await store.openPart(ref.digest, blockmap), blockmap, tally, options)
    await store.adoptPart(ref.digest)
  } catch (error) {
    if (codeOf(error) === 'DISK_FULL') await store.remove(ref.digest)
    throw error
  } finally {
    await store.closePart(ref.digest)
  }
  return tally.result()
}

/** Files first, then the directory: with anything on disk it is made, and only what was guessed wrong is fetched. */
async function fill(part: PartFile, blockmap: Blockmap, tally: Tally, options: FetchOptions): Promise<void> {
  const { store, signal } = options
  const missing = (from: number, to: number): readonly number[] => range(from, to).filter(n => !part.isVerified(n))
  const count = blockmap.segments.length
  tally.reused += await reuseSegments(part, store, signal)
  await using download = new Download({ ...options, part, tally, unavailableAfterMs: options.unavailableAfterMs ?? unavailableAfterMs })
  if (tally.reused > 0) {
    await download.get(missing(count - 1, count))
    const first = await firstOfDirectory(part)
    if (first !== null) {
      await download.get(missing(0, first))
      tally.reused += await makeDirectory(part, store, first)
    }
  }
  await download.get(missing(0, count))
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, n) => from + n)
