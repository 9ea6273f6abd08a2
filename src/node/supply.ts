/** Packages and slots of a running node: fetched from its peers, staged beside what runs. */
import type { Bytes, Digest, NodeId } from '../model/index.ts'
import { type PackageStore, unpackPackage } from '../packages/index.ts'
import type { Replica } from '../rollout/index.ts'
import { readSlotManifest, slotDir } from '../slots/index.ts'
import { fetchPackage } from '../transfer/index.ts'
import type { Log } from './log.ts'
import type { Room } from './room.ts'

type Fetch = Parameters<typeof fetchPackage>[0]

export interface SupplyOptions {
  readonly home: string
  readonly replica: Replica
  readonly packages: PackageStore
  readonly room: Pick<Room, 'make' | 'makeFor'>
  readonly reserveBytes: () => number
  readonly request: Fetch['request']
  readonly linked: () => readonly NodeId[]
  readonly progress: (percent: number, bytes: Partial<Bytes>) => void
  readonly holdingsChanged: () => void
  readonly log: Log
}

export class Supply {
  readonly #o: SupplyOptions

  constructor(options: SupplyOptions) {
    this.#o = options
  }

  async fetch(ref: Fetch['ref'], signal: AbortSignal): Promise<void> {
    const { replica, packages, room, request, linked, progress, holdingsChanged, log } = this.#o
    if (!packages.has(ref.digest)) await room.makeFor(ref)
    const holders = (): readonly NodeId[] => {
      const now = new Set(linked())
      return replica.fleet.members().flatMap(m => (now.has(m.id) ? [m.id] : []))
    }
    const fetched = await fetchPackage({
      ref,
      peers: holders,
      request,
      store: packages,
      rng: Math.random,
      signal,
      onProgress: ({ done, total }) => progress((done / total) * 100, {}),
      onLiar: peer => log('peer sent what is not signed', { peer, digest: ref.digest }),
    })
    progress(100, fetched)
    holdingsChanged()
  }

  /** A package that was damaged. @returns false: no release names it, or nobody is linked */
  async fetchAgain(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { replica, linked } = this.#o
    const refs = replica.book.releases().flatMap(({ release }) => Object.values(release.packages))
    const ref = refs.find(each => each.digest === digest)
    if (ref === undefined || linked().length === 0) return false
    await this.fetch(ref, signal)
    return true
  }

  isStaged(digest: Digest): boolean {
    try {
      readSlotManifest(slotDir(this.#o.home, digest))
      return true
    } catch {
      return false
    }
  }

  async stage(digest: Digest, signal: AbortSignal): Promise<void> {
    const { home, packages, room, reserveBytes } = this.#o
    await room.make([digest])
    // Its release may be of a version that does not name the ABI.
    const options = { expect: digest, signal, reserveBytes: reserveBytes(), abi: process.versions.modules }
    await unpackPackage(packages.path(digest), slotDir(home, digest), options)
  }
}
