/**
 * What operators sign (payloads of DSSE envelopes) and what is pulled by digest. Signed bytes are kept exactly as they came;
 * these parsers only read them. Fields that a later version adds are ignored here and survive, because nobody re-serialises.
 */
import {
  type Digest,
  type FleetId,
  type KeyId,
  type NodeId,
  type OrderId,
  parseDigest,
  parseFleetId,
  parseKeyId,
  parseNodeId,
  parseOrderId,
} from './ids.ts'
import { maxControlNodes, maxDocumentBytes, maxPackageBytes } from './limits.ts'
import { type Handover, parseHandover, parsePackageKind, type PackageKind } from './manifest.ts'
import { ShoalError } from './errors.ts'
import { asBoolean, asInteger, asOneOf, asString, Fields, parseJson } from './parse.ts'
import { parseAppName, parseOperatorName, parsePlatform, parseTag, parseVersion } from './units.ts'

/** DSSE v1: `payload` is base64; what is signed is PAE(payloadType, payload bytes). */
export interface Envelope {
  readonly payloadType: string
  readonly payload: string
  readonly signatures: readonly { readonly keyid: KeyId; readonly sig: string }[]
}

export function parseEnvelope(value: unknown, where = 'envelope'): Envelope {
  const f = new Fields(value, where)
  return {
    payloadType: f.string('payloadType', 100),
    payload: f.string('payload', maxDocumentBytes * 2),
    signatures: f.list(
      'signatures',
      (each, at) => {
        const s = new Fields(each, at)
        return { keyid: s.get('keyid', parseKeyId), sig: s.string('sig', 200) }
      },
      16,
    ),
  }
}

export type DocumentKind = 'release' | 'order' | 'control' | 'invite' | 'removal' | 'hold'
export const payloadTypeOf = (kind: DocumentKind): string => `application/vnd.shoal.${kind}.v1+json`

/** Where a release's bytes are, per platform or for `any`. `size` in bytes; `blockmap` is the digest of its segment list. */
export interface PackageRef {
  readonly digest: Digest
  readonly size: number
  readonly blockmap: Digest
  /** NODE_MODULE_VERSION for which its native addons were built; without it they, if there are any, run on each. */
  readonly abi?: string
}

export interface Release {
  readonly fleet: FleetId
  readonly kind: PackageKind
  readonly name: string
  readonly version: string
  readonly dataVersion: number
  readonly minFrom: string | null
  /** `engines.node` of the app, a semver range. */
  readonly engines: string | null
  readonly handover: Handover
  readonly probationMs: number | null
  readonly packages: Readonly<Record<string, PackageRef>>
  readonly notes: string
}

const asPackages = (value: unknown, where: string): Readonly<Record<string, PackageRef>> => {
  const f = new Fields(value, where)
  const refs = f.keys().map(platform => {
    const r = new Fields(f.raw(platform), `${where}.${platform}`)
    const ref = {
      digest: r.get('digest', parseDigest),
      size: r.integer('size', 1, maxPackageBytes),
      blockmap: r.get('blockmap', parseDigest),
      ...(r.has('abi') ? { abi: r.string('abi', 200) } : {}),
    }
    return [parsePlatform(platform, where), ref] as const
  })
  return Object.fromEntries(refs)
}

const asText =
  (max: number) =>
  (value: unknown, where: string): string =>
    asString(value, where, max)

export function parseRelease(value: unknown): Release {
  const f = new Fields(value, 'release')
  return {
    fleet: f.get('fleet', parseFleetId),
    kind: f.get('kind', parsePackageKind),
    name: f.get('name', parseAppName),
    version: f.get('version', parseVersion),
    dataVersion: f.integer('dataVersion', 1, 1_000_000),
    minFrom: f.maybe('minFrom', parseVersion, null),
    engines: f.maybe('engines', asText(200), null),
    handover: f.get('handover', parseHandover),
    probationMs: f.maybe('probationMs', (v, w) => asInteger(v, w, 0, 86_400_000), null),
    packages: f.get('packages', asPackages),
    notes: f.maybe('notes', asText(4000), ''),
  }
}

/** Which nodes an order is for. Both lists empty: all. A node matches if `only` names it or one of its tags is in `tags`. */
export interface Selector {
  readonly only: readonly NodeId[]
  readonly tags: readonly string[]
}

/** What an operator orders: a release, for whom, by which plan. */
export interface Order {
  readonly fleet: FleetId
  /** Ranks orders: the highest known + 1; ties go to the greater id. */
  readonly generation: number
  readonly kind: PackageKind
  readonly name: string
  readonly version: string
  /** SHA-256 of the release document's payload. */
  readonly release: Digest
  /** SHA-256 of the plan document. */
  readonly plan: Digest
  readonly selector: Selector
  readonly soakMs: number
  readonly witnesses: number
  readonly deadlineMs: number
  /** When nodes may start: `Sat 02:00-04:00 Europe/Berlin`. */
  readonly window: string | null
  readonly allowDowngrade: boolean
  readonly data: 'keep' | 'restore' | null
  readonly replaceApp: boolean
  readonly force: boolean
  readonly dryRun: boolean
  readonly by: string
  /** For people only: nothing is decided by it. */
  readonly at: string
  /** The node where the order was made. */
  readonly node: NodeId
}

const maxDurationMs = 366 * 86_400_000

export function parseOrder(value: unknown): Order {
  const f = new Fields(value, 'order')
  return {
    fleet: f.get('fleet', parseFleetId),
    generation: f.integer('generation', 1),
    kind: f.get('kind', parsePackageKind),
    name: f.get('name', parseAppName),
    version: f.get('version', parseVersion),
    release: f.get('release', parseDigest),
    plan: f.get('plan', parseDigest),
    selector: f.get('selector', parseSelector),
    soakMs: f.integer('soakMs', 0, maxDurationMs),
    witnesses: f.integer('witnesses', 0, 100),
    deadlineMs: f.integer('deadlineMs', 1, maxDurationMs),
    window: f.maybe('window', asText(100), null),
    allowDowngrade: f.boolean('allowDowngrade'),
    data: f.maybe('data', (v, w) => asOneOf(v, w, ['keep', 'restore']), null),
    replaceApp: f.boolean('replaceApp'),
    force: f.boolean('force'),
    dryRun: f.boolean('dryRun'),
    by: f.get('by', parseOperatorName),
    at: f.string('at', 40),
    node: f.get('node', parseNodeId),
  }
}

export function parseSelector(value: unknown, where = 'selector'): Selector {
  const f = new Fields(value, where)
  return { only: f.list('only', parseNodeId, 20_000), tags: f.list('tags', parseTag, 100) }
}

/** One wave: its nodes go together; it has passed when `nodes - maxFailed - maxMissing` of them succeeded. */
export interface PlannedWave {
  readonly nodes: readonly NodeId[]
  readonly maxFailed: number
  readonly maxMissing: number
}

/** The node list by waves; pulled by digest. `lost`: nodes that nobody reached when the order was made; they are in the last wave. */
export interface Plan {
  readonly waves: readonly PlannedWave[]
  readonly lost: readonly NodeId[]
}

export function parsePlan(value: unknown): Plan {
  const f = new Fields(value, 'plan')
  const wave = (each: unknown, where: string): PlannedWave => {
    const w = new Fields(each, where)
    return {
      nodes: w.list('nodes', parseNodeId, 20_000),
      maxFailed: w.integer('maxFailed', 0, 20_000),
      maxMissing: w.integer('maxMissing', 0, 20_000),
    }
  }
  const waves = f.list('waves', wave, 200)
  const nodes = waves.flatMap(w => w.nodes)
  if (new Set(nodes).size < nodes.length) throw new ShoalError('BAD_REQUEST', 'plan: a node is in it twice')
  return { waves, lost: f.list('lost', parseNodeId, 20_000) }
}

export const controlActions = ['pause', 'resume', 'abort', 'skip', 'retry'] as const
export type ControlAction = (typeof controlActions)[number]

/** What an operator does to a running rollout. `nodes`: whom skip and retry name (retry: empty means all that failed). */
export interface Control {
  readonly fleet: FleetId
  readonly order: OrderId
  readonly generation: number
  readonly action: ControlAction
  readonly nodes: readonly NodeId[]
  readonly by: string
  readonly at: string
}

export function parseControl(value: unknown): Control {
  const f = new Fields(value, 'control')
  return {
    fleet: f.get('fleet', parseFleetId),
    order: f.get('order', parseOrderId),
    generation: f.integer('generation', 1),
    action: f.get('action', (v, w) => asOneOf(v, w, controlActions)),
    nodes: f.list('nodes', parseNodeId, 20_000),
    by: f.get('by', parseOperatorName),
    at: f.string('at', 40),
  }
}

/** The nodes of each control that it takes to name them all: one control, if none is named. */
export function controlParts(nodes: readonly NodeId[]): readonly (readonly NodeId[])[] {
  const parts: (readonly NodeId[])[] = []
  for (let at = 0; at === 0 || at < nodes.length; at += maxControlNodes) parts.push(nodes.slice(at, at + maxControlNodes))
  return parts
}

/** Lets `uses` nodes in, at the one node `redeemer`, which alone counts uses and looks at `expiresAt`. */
export interface Invite {
  readonly fleet: FleetId
  readonly id: string
  /** One-time Ed25519 public key, SPKI DER in base64; the token holds the private half. */
  readonly key: string
  readonly redeemer: NodeId
  readonly uses: number
  readonly expiresAt: string
  /** An admission counts only if this is greater than the generation of every removal of the node. */
  readonly generation: number
  readonly canInvite: boolean
  readonly console: boolean
  readonly by: string
}

export function parseInvite(value: unknown): Invite {
  const f = new Fields(value, 'invite')
  return {
    fleet: f.get('fleet', parseFleetId),
    id: f.string('id', 64),
    key: f.string('key', 200),
    redeemer: f.get('redeemer', parseNodeId),
    uses: f.integer('uses', 1, 100_000),
    expiresAt: f.string('expiresAt', 40),
    generation: f.integer('generation', 1),
    canInvite: f.maybe('canInvite', asBoolean, false),
    console: f.maybe('console', asBoolean, false),
    by: f.get('by', parseOperatorName),
  }
}

export interface Removal {
  readonly fleet: FleetId
  readonly node: NodeId
  readonly generation: number
  readonly reason: string
  readonly by: string
  readonly at: string
}

export function parseRemoval(value: unknown): Removal {
  const f = new Fields(value, 'removal')
  return {
    fleet: f.get('fleet', parseFleetId),
    node: f.get('node', parseNodeId),
    generation: f.integer('generation', 1),
    reason: f.string('reason', 500),
    by: f.get('by', parseOperatorName),
    at: f.string('at', 40),
  }
}

/** A held node starts no order until somebody ends the hold, or its time is over. */
export interface Hold {
  readonly fleet: FleetId
  readonly node: NodeId
  readonly generation: number
  /** false: an earlier hold is over. */
  readonly hold: boolean
  /** ms by the held node's own count; null: until somebody ends it. */
  readonly forMs: number | null
  readonly reason: string
  readonly by: string
  readonly at: string
}

export function parseHold(value: unknown): Hold {
  const f = new Fields(value, 'hold')
  return {
    fleet: f.get('fleet', parseFleetId),
    node: f.get('node', parseNodeId),
    generation: f.integer('generation', 1),
    hold: f.boolean('hold'),
    forMs: f.maybe('forMs', (v, w) => asInteger(v, w, 1, maxDurationMs), null),
    reason: f.maybe('reason', asText(500), ''),
    by: f.get('by', parseOperatorName),
    at: f.string('at', 40),
  }
}

/** One segment of a package file: `[offset, length, sha256]`. */
export type Segment = readonly [offset: number, length: number, sha256: Digest]

/** The segments of a whole package file, in order, without gaps; pulled by digest. */
export interface Blockmap {
  readonly size: number
  readonly segments: readonly Segment[]
}

/** @throws ShoalError if the segments do not cover `0..size` exactly. */
export function parseBlockmap(text: string): Blockmap {
  const f = new Fields(parseJson(text, 'blockmap', maxDocumentBytes * 2), 'blockmap')
  const size = f.integer('size', 1, maxPackageBytes)
  let next = 0
  const segments = f.list(
    'segments',
    (each, where): Segment => {
      const [offset, length, sha256] = Array.isArray(each) ? (each as readonly unknown[]) : []
      const segment = [asInteger(offset, where, next, next), asInteger(length, where, 1, size), parseDigest(sha256, where)] as const
      next += segment[1]
      return segment
    },
    200_000,
  )
  asInteger(next, 'blockmap.segments', size, size)
  return { size, segments }
}
