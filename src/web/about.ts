/**
 * What a node alone knows of itself: its slots, what is kept of its data, its links, its disk. Any node shows it of any other, which is asked over
 * its pinned identity, as its log is.
 */
import type { DiskView } from '../disk/index.ts'
import type { Reason } from '../model/index.ts'
import type { PeerView } from './peer-view.ts'
import { listPeers } from './peers.ts'
import { Rested } from './rested.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

/** The largest things of a disk that are named; the totals count all. */
export const maxAboutItems = 500
export const maxAboutBackups = 200

export interface ItemView {
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly bytes: number
  /** Why it stays; none: it may go. */
  readonly needs: readonly string[]
}

export interface SlotView {
  readonly digest: string
  /** `app` or `shoal`; empty: its manifest cannot be read. */
  readonly kind: string
  /** `name@version`; or empty. */
  readonly name: string
  readonly bytes: number
  /** `current`, `previous`, `built-in` …: as all on a disk has reasons. */
  readonly needs: readonly string[]
}

export interface KeptView {
  readonly id: string
  readonly kind: string
  readonly at: string
  readonly own: boolean
  readonly app: string | null
  readonly bytes: number
  readonly state: string
  readonly reason: Reason | null
}

export interface AboutView {
  readonly id: string
  /** What the node's own clock said. */
  readonly at: string
  /** SHA-256 of the certificate that people see there. */
  readonly fingerprint: string
  readonly slots: readonly SlotView[]
  readonly backups: readonly KeptView[]
  readonly peers: readonly PeerView[]
  readonly disk: {
    readonly freeBytes: number
    readonly reserveBytes: number
    readonly packageLimitBytes: number
    readonly totals: readonly { readonly kind: string; readonly count: number; readonly bytes: number; readonly reclaimable: number }[]
    readonly items: readonly ItemView[]
  }
}

export class About {
  readonly #s: WebServices
  readonly #views: Views
  readonly #disk: Rested<DiskView>

  /** @param now of a clock that is never set */
  constructor(services: WebServices, views: Views, now?: () => number) {
    this.#s = services
    this.#views = views
    this.#disk = new Rested(() => services.disk.look(), now)
  }

  async own(): Promise<AboutView> {
    const s = this.#s
    const [disk, backups] = await Promise.all([this.#disk.ask(), s.backups.list()])
    const slots = disk.items.flatMap(({ kind, id, bytes, needs }) =>
      kind === 'slot' ? [{ digest: id, ...s.slotOf(id), bytes, needs }] : [],
    )
    return {
      id: s.self,
      at: s.wallNow().toISOString(),
      fingerprint: s.webFingerprint,
      slots: slots.toSorted((a, b) => a.kind.localeCompare(b.kind, 'en') || a.name.localeCompare(b.name, 'en')),
      backups: backups.slice(0, maxAboutBackups),
      peers: listPeers(s, this.#views),
      disk: { ...disk, items: disk.items.toSorted((a, b) => b.bytes - a.bytes).slice(0, maxAboutItems) },
    }
  }
}
