/**
 * The disk of a running node: room is made before something comes in or is staged, and after a release was confirmed; people look at it and
 * clear it. One at a time, so that nothing is judged while something else goes.
 */
import { type DiskOptions, type DiskView, noWish, prune, type Pruned, type PruneWish, survey } from '../disk/index.ts'
import { codeOf, type Config, type Digest, messageOf, type PackageRef, ShoalError } from '../model/index.ts'
import type { PackageStore } from '../packages/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { HomePaths } from '../slots/index.ts'
import type { BackupView } from './data-care.ts'
import type { Log } from './log.ts'

export interface RoomOptions {
  readonly paths: HomePaths
  readonly limits: () => Config['limits']
  readonly packages: PackageStore
  /** null: the node has lost what it knew of its fleet, and cannot say what is needed. */
  readonly replica: () => Replica | null
  readonly backups: () => Promise<readonly BackupView[]>
  readonly holdingsChanged: () => void
  readonly log: Log
}

/** What a backup is while nobody reads or writes it. */
const isAtRest = ({ state }: BackupView): boolean => state === 'ready' || state === 'failed' || state === 'damaged'

export class Room {
  readonly #o: RoomOptions
  readonly #disk: DiskOptions
  readonly #stop = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #looking: Promise<DiskView> | null = null

  constructor(o: RoomOptions) {
    this.#o = o
    this.#disk = {
      paths: o.paths,
      limits: o.limits,
      replica: o.replica,
      busyBackups: async () => new Set((await o.backups()).filter(b => !isAtRest(b)).map(b => b.id)),
      underWay: () => o.packages.underWay(),
      removePackage: digest => o.packages.remove(digest),
      nowMs: () => Date.now(),
      signal: this.#stop.signal,
    }
  }

  /** The node parks: the next worker has a list of packages of its own, which nobody may make wrong. */
  stop(): void {
    this.#stop.abort(new ShoalError('BUSY', 'the node changes over; try again in a moment'))
  }

  /** What lies on the disk, why, and what would go by a wish. */
  survey(wish: PruneWish): Promise<DiskView> {
    return survey(this.#disk, wish)
  }

  /** Every file is counted, once for all who ask meanwhile. */
  look(): Promise<DiskView> {
    this.#looking ??= survey(this.#disk).finally(() => (this.#looking = null))
    return this.#looking
  }

  prune(wish: PruneWish = noWish): Promise<Pruned> {
    return this.#inTurn(() => this.#prune(wish))
  }

  /** Packages, slots and transfers that nothing needs go before anything new is staged (DESIGN section 5). */
  async make(coming: readonly Digest[]): Promise<void> {
    await this.#inTurn(() => this.#prune(noWish, { coming, isQuick: true }))
  }

  /** After a release was confirmed: what it took the place of. What cannot go now goes the next time. */
  tidy(): void {
    this.prune().catch((error: unknown) => this.#o.log('no room made', { error: messageOf(error) }))
  }

  /**
   * Room for so many bytes beside the reserve: what nothing needs makes way if it must.
   * @param isUpload the limit of packages holds too; what an order needs comes all the same
   * @throws ShoalError DISK_FULL, with what is missing
   */
  async need(bytes: number, coming: readonly Digest[], isUpload: boolean): Promise<void> {
    const { packages, limits } = this.#o
    const check = async (): Promise<void> => {
      await packages.requireSpace(bytes)
      if (isUpload) packages.requireBelow(limits().packagesMb * 2 ** 20, bytes)
    }
    try {
      await check()
    } catch (error) {
      if (codeOf(error) !== 'DISK_FULL') throw error
      await this.make(coming)
      await check()
    }
  }

  /** Before a package is fetched. Whether it fits is judged when it is known how much of it is here already. */
  async makeFor({ digest, size }: PackageRef): Promise<void> {
    await this.need(size, [digest], false).catch((error: unknown) => {
      if (codeOf(error) !== 'DISK_FULL') throw error
    })
  }

  async #prune(wish: PruneWish, scope?: Parameters<typeof prune>[2]): Promise<Pruned> {
    const pruned = await prune(this.#disk, wish, scope)
    const { removed, removedBytes, failed } = pruned
    if (removed.length + failed.length > 0) this.#o.log('pruned', { things: removed.length, bytes: removedBytes, failed })
    if (removed.some(item => item.kind === 'package')) this.#o.holdingsChanged()
    return pruned
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }
}
