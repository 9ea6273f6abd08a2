/** Gets a package's blockmap from any peer: the groups that no package on disk has. Who sends another one than the release signs lied. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Blockmap, type Digest, type NodeId, type PackageRef, parseBlockmap, ShoalError } from '../model/index.ts'
import { formatBlockmap, type PackageStore, sha256Hex } from '../packages/index.ts'
import { formatRuns, runsOf } from './core/runs.ts'
import { assemble, groupsOf, parseIndex, parseRecords } from './groups.ts'
import { askAgainMs, maxRunsPerRequest } from './limits.ts'
import { type PeerRequest, readAll, withAnswer } from './peer-request.ts'

export interface BlockmapOptions {
  readonly ref: PackageRef
  readonly peers: () => readonly NodeId[]
  readonly request: PeerRequest
  readonly store: PackageStore
  readonly rng: () => number
  readonly signal: AbortSignal
  readonly unavailableAfterMs: number
  readonly isLiar: (peer: NodeId) => boolean
  readonly onLiar: (peer: NodeId) => void
  readonly onBytes: (bytes: number) => void
}

/** @throws ShoalError PACKAGE_UNAVAILABLE if nobody had it for the time allowed */
export async function obtainBlockmap(options: BlockmapOptions): Promise<Blockmap> {
  const { ref, store, signal } = options
  const kept = await store.blockmap(ref.digest)
  if (kept !== null && sha256Hex(kept) === ref.blockmap) return parseBlockmap(kept)
  const deadline = performance.now() + options.unavailableAfterMs
  const known = await knownGroups(store)
  for (;;) {
    for (const peer of shuffled(options.peers(), options.rng)) {
      const text = options.isLiar(peer) ? null : await fromPeer(peer, known, options)
      if (text === null) continue
      await store.putBlockmap(ref.digest, text)
      return parseBlockmap(text)
    }
    if (performance.now() >= deadline)
      throw new ShoalError('PACKAGE_UNAVAILABLE', `package ${ref.digest}: none of ${options.peers().length} peers has its blockmap`)
    await wait(askAgainMs * (0.5 + options.rng()), undefined, { signal })
  }
}

/** Records of all groups of all packages on disk. */
async function knownGroups(store: PackageStore): Promise<ReadonlyMap<Digest, Buffer>> {
  const known = new Map<Digest, Buffer>()
  for (const digest of store.list()) {
    const text = await store.blockmap(digest)
    for (const group of text === null ? [] : groupsOf(parseBlockmap(text))) known.set(group.digest, group.record)
  }
  return known
}

/** The text, verified; null if this peer cannot give it. */
async function fromPeer(peer: NodeId, known: ReadonlyMap<Digest, Buffer>, options: BlockmapOptions): Promise<string | null> {
  const { ref, signal } = options
  try {
    const index = await get(peer, '?groups=index', options)
    if (index === null) return null
    const text = formatBlockmap(assemble(await records(peer, parseIndex(index), known, options)))
    if (sha256Hex(text) === ref.blockmap) return text
    options.onLiar(peer)
    return null
  } catch (error) {
    signal.throwIfAborted()
    // What a peer says against the form of an answer is a lie; that it cannot be reached is not.
    if (error instanceof ShoalError && error.code === 'BAD_REQUEST') options.onLiar(peer)
    return null
  }
}

async function records(
  peer: NodeId,
  index: readonly Digest[],
  known: ReadonlyMap<Digest, Buffer>,
  options: BlockmapOptions,
): Promise<readonly Buffer[]> {
  const all = new Map(known)
  const lacking = index.flatMap((digest, n) => (all.has(digest) ? [] : [n]))
  const runs = runsOf(lacking)
  for (let at = 0; at < runs.length; at += maxRunsPerRequest) {
    const bytes = await get(peer, `?groups=${formatRuns(runs.slice(at, at + maxRunsPerRequest))}`, options)
    if (bytes === null) throw new ShoalError('BUSY', `${peer} does not give the groups that it named`)
    for (const group of parseRecords(bytes)) all.set(group.digest, group.record)
  }
  return index.map((digest, n) => all.get(digest) ?? missingGroup(n))
}

function missingGroup(n: number): never {
  throw new ShoalError('BAD_REQUEST', `blockmap group ${n} is not what the peer's own index says`)
}

async function get(peer: NodeId, query: string, options: BlockmapOptions): Promise<Buffer | null> {
  const path = `packages/${options.ref.digest}/blockmap${query}`
  return withAnswer(
    signal => options.request(peer, path, null, signal),
    options.signal,
    async ({ status, chunks }) => {
      const bytes = await readAll(chunks)
      options.onBytes(bytes.length)
      return status === 200 ? bytes : null
    },
  )
}

/** Fisher-Yates, with the caller's chance. */
export function shuffled<T>(items: readonly T[], rng: () => number): readonly T[] {
  const mixed = [...items]
  for (let n = mixed.length - 1; n > 0; n--) {
    const other = Math.floor(rng() * (n + 1))
    const [a, b] = [mixed[n], mixed[other]]
    if (a !== undefined && b !== undefined) [mixed[n], mixed[other]] = [b, a]
  }
  return mixed
}
