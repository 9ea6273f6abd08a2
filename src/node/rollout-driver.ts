/** The rollout driver of a running node: what it sees of the node, and by whose hands it works. It decides nothing; that is rollout/core. */
import { type Digest, type NodeId, type Release, reserveBytesOf, type Running, type SwitchTarget } from '../model/index.ts'
import type { Mesh } from '../mesh/index.ts'
import type { PackageStore } from '../packages/index.ts'
import { digestFor, type Replica, RolloutDriver, type StatusBoard } from '../rollout/index.ts'
import { thisPlatform } from '../slots/index.ts'
import type { Clones } from './clones.ts'
import { conditionFor } from './condition.ts'
import type { GoingBack } from './going-back.ts'
import type { PeerHttp } from './peer-http.ts'
import type { Reachability } from './reach.ts'
import type { Rehearsals } from './rehearsals.ts'
import type { Room } from './room.ts'
import type { RuntimeOptions } from './runtime-options.ts'
import type { Supply } from './supply.ts'
import type { Voice } from './voice.ts'

/** The node, as far as a rollout looks at it. */
interface Driven {
  readonly replica: Replica
  readonly status: StatusBoard
  readonly mesh: Mesh
  readonly packages: PackageStore
  readonly peerHttp: PeerHttp
  readonly reach: Reachability
  readonly room: Pick<Room, 'make'>
  readonly voice: Voice
  running(): { readonly app: Running | null; readonly shoal: Running }
  linked(): readonly NodeId[]
}

interface Hands {
  readonly supply: Supply
  readonly clones: Clones
  readonly rehearsals: Rehearsals
  readonly goingBack: GoingBack
  readonly isHealthy: () => boolean
  readonly requestSwitch: (target: SwitchTarget) => void
}

export function driverFor(node: Driven, o: RuntimeOptions, hands: Hands): RolloutDriver {
  const { supply, clones, rehearsals, goingBack, isHealthy, requestSwitch } = hands
  const { home, settings, log, hasLoader } = o
  const { replica, status, mesh, packages, peerHttp, reach, voice } = node
  const running = (): { readonly app: Digest | null; readonly shoal: Digest } => {
    const { app, shoal } = node.running()
    return { app: app?.digest ?? null, shoal: shoal.digest }
  }
  const condition = {
    paths: home.paths,
    self: home.key.id,
    running: () => node.running(),
    reserveBytes: () => reserveBytesOf(settings.config),
    orders: () => replica.orders(),
    hasLoader,
    isCloned: () => clones.isCloned,
    makeRoom: (coming: readonly Digest[]) => node.room.make(coming),
  }
  const toRehearse = (release: Release): Digest | null => {
    const digest = release.kind === 'app' ? digestFor(release, thisPlatform()) : null
    return digest !== null && supply.isStaged(digest) && rehearsals.needs(digest) ? digest : null
  }
  return new RolloutDriver({
    replica,
    status,
    publish: voice.publish,
    hands: {
      condition: known => conditionFor(known, condition),
      fetch: (ref, signal) => supply.fetch(ref, signal),
      stage: (digest, signal) => supply.stage(digest, signal),
      toRehearse,
      rehearse: (digest, signal) => rehearsals.rehearse(digest, signal),
      prepare: (known, attempt, signal) => goingBack.prepare(known, attempt, signal),
      keepFor: orders => void goingBack.keepFor(orders),
      log,
    },
    requestSwitch,
    running,
    hasPackage: digest => packages.has(digest),
    isStaged: digest => supply.isStaged(digest),
    needsRehearsal: digest => rehearsals.needs(digest),
    needsPreparation: (known, attempt) => goingBack.needs(known, attempt),
    isHeld: () => clones.isCloned || replica.holds.of(replica.self) !== null,
    isHealthy,
    isLost: id => reach.reach(id) === 'lost',
    linked: () => node.linked(),
    runs: () => {
      const hellos = new Map(mesh.links().map(l => [l.peer, l.hello]))
      return (peer, kind) => hellos.get(peer)?.[kind]
    },
    platform: thisPlatform(),
    about: () => voice.about(),
    fetchPlan: (digest, signal) => peerHttp.document(digest, node.linked(), signal),
    now: () => performance.now(),
    wallNow: () => new Date(),
  })
}
