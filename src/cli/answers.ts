/** What the node's API answers (CONTRACT section 3), as far as the command line reads it. Documents are passed on to --json as they came. */
import {
  asArray,
  asBoolean,
  asInteger,
  asString,
  Fields,
  type FleetId,
  type KeyId,
  maxRootText,
  type NodeId,
  parseFleetId,
  parseKeyId,
  parseNodeId,
  parseOrderId,
} from '../model/index.ts'

export interface PersonAnswer {
  readonly name: string
  readonly role: string
  readonly keyid: KeyId
}

export interface FleetAnswer {
  readonly fleet: FleetId
  readonly name: string
  /** Text of the newest root. */
  readonly root: string
  readonly generation: number
  readonly caPin: string
  readonly self: { readonly id: NodeId; readonly addresses: readonly string[] }
  readonly redeems: boolean
  /** Who lets others in; null: the node is of a version that does not tell. */
  readonly redeemers: readonly NodeId[] | null
  readonly people: readonly PersonAnswer[]
}

const text =
  (max: number) =>
  (value: unknown, where: string): string =>
    asString(value, where, max)

export function parseFleet(value: unknown): FleetAnswer {
  const f = new Fields(value, 'fleet')
  const self = new Fields(f.raw('self'), 'fleet.self')
  const person = (each: unknown, where: string): PersonAnswer => {
    const p = new Fields(each, where)
    return { name: p.string('name', 64), role: p.string('role', 20), keyid: p.get('keyid', parseKeyId) }
  }
  return {
    fleet: f.get('fleet', parseFleetId),
    name: f.string('name', 64),
    root: f.string('root', maxRootText),
    generation: f.integer('generation'),
    caPin: f.string('caPin', 64),
    self: { id: self.get('id', parseNodeId), addresses: self.list('addresses', text(300), 64) },
    redeems: f.boolean('redeems'),
    redeemers: f.has('redeemers') ? f.list('redeemers', parseNodeId, 20_000) : null,
    people: f.list('people', person),
  }
}

export interface RunningAnswer {
  readonly name: string
  readonly version: string
}

export interface NodeAnswer {
  readonly id: NodeId
  readonly name: string
  readonly address: string
  readonly platform: string
  readonly nodejs: string
  readonly tags: readonly string[]
  readonly isSelf: boolean
  readonly reach: string
  readonly ageMs: number
  readonly app: RunningAnswer | null
  readonly shoal: RunningAnswer | null
  readonly desiredApp: string | null
  readonly health: string
  readonly held: { readonly by: string; readonly reason: string; readonly leftMs: number | null } | null
  readonly rollout: string | null
  readonly step: string
  readonly outcome: string | null
  readonly percent: number
  readonly reason: { readonly code: string; readonly message: string } | null
  readonly bytes: { readonly fetched: number; readonly reused: number; readonly served: number; readonly sources: number } | null
  /** The migration that the rollout brings took so long on a copy. */
  readonly migrationMs: number | null
  readonly since: string
  /** SHA-256 of the certificate that people see; the asked node's own. */
  readonly fingerprint: string
  /** Last log lines of a failure. */
  /** Its answer to a rollout's preflight; null: none, or it is not known. */
  readonly go: boolean | null
  readonly log: readonly string[]
}

const running = (value: unknown, where: string): RunningAnswer => {
  const f = new Fields(value, where)
  return { name: f.string('name', 200), version: f.string('version', 100) }
}

const held = (value: unknown, where: string): NonNullable<NodeAnswer['held']> => {
  const f = new Fields(value, where)
  return { by: f.string('by', 64), reason: f.maybe('reason', text(500), ''), leftMs: f.maybe('leftMs', (v, w) => asInteger(v, w), null) }
}

export function parseNode(value: unknown, where = 'node'): NodeAnswer {
  const f = new Fields(value, where)
  const desired = new Fields(f.raw('desired') ?? {}, `${where}.desired`)
  return {
    ...whoOf(f),
    app: f.maybe('app', running, null),
    shoal: f.maybe('shoal', running, null),
    desiredApp: desired.maybe('app', text(300), null),
    health: f.maybe('health', text(20), 'ok'),
    held: f.maybe('held', held, null),
    rollout: f.maybe('rollout', text(64), null),
    step: f.maybe('step', text(20), 'idle'),
    outcome: f.maybe('outcome', text(20), null),
    percent: f.maybe('percent', (v, w) => asInteger(v, w, 0, 100), 0),
    reason: f.maybe('reason', reason, null),
    bytes: f.maybe('bytes', bytes, null),
    migrationMs: f.maybe('migrationMs', (v, w) => asInteger(v, w), null),
    since: f.maybe('since', text(40), ''),
    fingerprint: f.maybe('fingerprint', text(64), ''),
    go: f.maybe('go', asBoolean, null),
    log: f.has('log') ? f.list('log', text(10_000), 100) : [],
  }
}

function whoOf(f: Fields): Pick<NodeAnswer, 'id' | 'name' | 'address' | 'platform' | 'nodejs' | 'tags' | 'isSelf' | 'reach' | 'ageMs'> {
  return {
    id: f.get('id', parseNodeId),
    name: f.string('name', 64),
    address: f.maybe('address', text(300), ''),
    platform: f.maybe('platform', text(64), ''),
    nodejs: f.maybe('nodejs', text(64), ''),
    tags: f.has('tags') ? f.list('tags', text(200), 1000) : [],
    isSelf: f.maybe('self', asBoolean, false),
    reach: f.maybe('reach', text(20), 'lost'),
    ageMs: f.maybe('ageMs', (v, w) => asInteger(v, w), 0),
  }
}

const reason = (value: unknown, where: string): { code: string; message: string } => {
  const f = new Fields(value, where)
  return { code: f.string('code', 64), message: f.string('message', 10_000) }
}

const bytes = (value: unknown, where: string): { fetched: number; reused: number; served: number; sources: number } => {
  const f = new Fields(value, where)
  return { fetched: f.integer('fetched'), reused: f.integer('reused'), served: f.integer('served'), sources: f.integer('sources') }
}

export const parseNodes = (value: unknown): readonly NodeAnswer[] => new Fields(value, 'nodes').list('nodes', parseNode, 100_000)

export interface WaveAnswer {
  readonly state: string
  readonly nodes: readonly string[]
  readonly need: number
  readonly confirmed: number
  readonly failed: number
  readonly missing: number
}

export interface RolloutAnswer {
  readonly id: string
  readonly release: string
  readonly kind: string
  readonly initiatedBy: string
  readonly initiatedAt: string
  readonly state: string
  readonly opensWhen: string
  readonly isDryRun: boolean
  readonly waves: readonly WaveAnswer[]
  /** Empty in lists of rollouts. */
  readonly nodes: readonly NodeAnswer[]
}

const wave = (value: unknown, where: string): WaveAnswer => {
  const f = new Fields(value, where)
  return {
    state: f.string('state', 20),
    nodes: f.has('nodes') ? f.list('nodes', text(64), 20_000) : [],
    need: f.integer('need'),
    confirmed: f.integer('confirmed'),
    failed: f.integer('failed'),
    missing: f.integer('missing'),
  }
}

export function parseRollout(value: unknown, where = 'rollout'): RolloutAnswer {
  const f = new Fields(value, where)
  return {
    id: f.get('id', parseOrderId),
    release: f.string('release', 300),
    kind: f.maybe('kind', text(20), 'app'),
    initiatedBy: f.maybe('initiatedBy', text(64), ''),
    initiatedAt: f.maybe('initiatedAt', text(40), ''),
    state: f.string('state', 40),
    opensWhen: f.maybe('opensWhen', text(1000), ''),
    isDryRun: f.maybe('dryRun', asBoolean, false),
    waves: f.list('waves', wave, 1000),
    nodes: f.has('nodes') ? f.list('nodes', parseNode, 20_000) : [],
  }
}

export const parseRollouts = (value: unknown): readonly RolloutAnswer[] =>
  new Fields(value, 'rollouts').list('rollouts', parseRollout, 100_000)

export interface ReleaseAnswer {
  /** Empty: an older node does not say. */
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly version: string
  /** Digests by platform. */
  readonly packages: ReadonlyMap<string, string>
  readonly nodes: number
}

const release = (value: unknown, where: string): ReleaseAnswer => {
  const f = new Fields(value, where)
  const packages = new Fields(f.raw('packages') ?? {}, `${where}.packages`)
  return {
    id: f.maybe('id', text(64), ''),
    kind: f.string('kind', 20),
    name: f.string('name', 200),
    version: f.string('version', 100),
    packages: new Map(packages.keys().map(platform => [platform, packages.string(platform, 64)])),
    nodes: f.maybe('nodes', (v, w) => asInteger(v, w), 0),
  }
}

export const parseReleases = (value: unknown): readonly ReleaseAnswer[] => new Fields(value, 'releases').list('releases', release, 100_000)

/** The id of what a request made. */
export const parseMade = (value: unknown): string => new Fields(value, 'answer').string('id', 100)

export interface PeerAnswer {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly isPinned: boolean
  readonly reach: string
  /** null: there is no link, or it is not told. */
  readonly linkedMs: number | null
}

const peer = (value: unknown, where: string): PeerAnswer => {
  const f = new Fields(value, where)
  return {
    id: f.maybe('id', text(64), ''),
    name: f.maybe('name', text(64), ''),
    address: f.maybe('address', text(300), ''),
    isPinned: f.maybe('pinned', asBoolean, false),
    reach: f.maybe('reach', text(20), 'lost'),
    linkedMs: f.maybe('linkedMs', asInteger, null),
  }
}

export const parsePeers = (value: unknown): readonly PeerAnswer[] => new Fields(value, 'peers').list('peers', peer, 20_000)

export interface PeerTestAnswer {
  readonly id: string
  readonly address: string
  readonly isOk: boolean
  readonly step: string | null
  readonly message: string
}

const test = (value: unknown, where: string): PeerTestAnswer => {
  const f = new Fields(value, where)
  return {
    id: f.maybe('id', text(64), ''),
    address: f.maybe('address', text(300), ''),
    isOk: f.get('ok', asBoolean),
    step: f.maybe('step', text(40), null),
    message: f.maybe('message', text(10_000), ''),
  }
}

export const parsePeerTests = (value: unknown): readonly PeerTestAnswer[] =>
  asArray(new Fields(value, 'answer').raw('tests'), 'answer.tests', 20_000).map((each, at) => test(each, `tests[${at}]`))

export interface BackupAnswer {
  readonly id: string
  readonly kind: string
  readonly at: string
  readonly node: string
  readonly isOwn: boolean
  readonly app: string | null
  readonly dataVersion: number | null
  readonly files: number | null
  readonly bytes: number
  readonly state: string
}

function backup(value: unknown, where: string): BackupAnswer {
  const f = new Fields(value, where)
  return {
    id: f.string('id', 255),
    kind: f.string('kind', 40),
    at: f.string('at', 40),
    node: f.string('node', 64),
    isOwn: f.boolean('own'),
    app: f.maybe('app', text(300), null),
    dataVersion: f.maybe('dataVersion', asInteger, null),
    files: f.maybe('files', asInteger, null),
    bytes: f.integer('bytes'),
    state: f.string('state', 40),
  }
}

export const parseBackups = (value: unknown): readonly BackupAnswer[] => new Fields(value, 'answer').list('backups', backup, 100_000)
