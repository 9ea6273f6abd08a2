/** JSON Schemas (2020-12) of what the API takes and gives, for the OpenAPI document. Fields that a later version adds are allowed everywhere. */
import { codes, healths, outcomes, steps } from '../model/index.ts'

type Schema = Readonly<Record<string, unknown>>

const text: Schema = { type: 'string' }
const integer: Schema = { type: 'integer' }
const flag: Schema = { type: 'boolean' }
const nodeId: Schema = { type: 'string', pattern: '^[a-z2-7]{52}$' }
const digest: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' }
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
const oneOf = (list: readonly string[]): Schema => ({ enum: list })
const list = (items: Schema): Schema => ({ type: 'array', items })
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

/** An object; a name that ends with `?` may be missing. */
function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    required: entries.filter(([name]) => !name.endsWith('?')).map(([name]) => name),
  }
}

const paged = (name: string, items: Schema, more: Readonly<Record<string, Schema>> = {}): Schema =>
  object({ ...more, [name]: list(items), counts: ref('Counts'), next: orNull(text) })

const running = object({ name: text, version: text, digest: digest })
const bytes = object({ fetched: integer, reused: integer, served: integer, sources: integer })
const tally = { state: oneOf(['closed', 'open', 'passed']), need: integer, confirmed: integer, failed: integer, missing: integer }
const wave = object({ ...tally, nodes: list(nodeId) })
const briefWave = object({ ...tally, size: integer })

const node = object({
  id: nodeId,
  name: text,
  address: text,
  platform: text,
  nodejs: text,
  tags: list(text),
  self: flag,
  reach: oneOf(['self', 'direct', 'via', 'lost']),
  ageMs: integer,
  app: orNull(running),
  shoal: orNull(running),
  desired: object({ app: orNull(text), shoal: orNull(text) }),
  health: oneOf(healths),
  rollout: orNull(text),
  step: oneOf(steps),
  outcome: orNull(oneOf(outcomes)),
  percent: { type: 'number' },
  reason: orNull(object({ code: text, message: text })),
  bytes,
  migrationMs: orNull(integer),
  since: text,
})

const ofRollout = {
  id: text,
  release: text,
  kind: oneOf(['app', 'shoal']),
  initiatedBy: text,
  initiatedAt: text,
  dryRun: flag,
  state: oneOf(['open', 'paused', 'halted', 'stalled', 'aborted', 'expired', 'completed', 'completed-with-exceptions']),
  opensWhen: text,
}
const rollout = object({ ...ofRollout, waves: list(wave) })

const session = object({ name: text, role: ref('Role'), csrf: text, canSign: flag, expiresAt: text })
const operator = { name: text, role: ref('Role'), keyid: digest }
const envelope = object({
  payloadType: text,
  payload: text,
  signatures: list(object({ keyid: digest, sig: text })),
})
const signed = object({ envelope: ref('Envelope') })
const either = (plain: Schema): Schema => ({ anyOf: [signed, plain] })
const made = object({ id: text })
const wish = object({
  'release?': orNull(text),
  'rollback?': orNull(object({ 'to?': orNull(text) })),
  'only?': list(text),
  'tags?': list(text),
  'canary?': list(text),
  'waves?': text,
  'maxFailed?': orNull(integer),
  'maxMissing?': orNull(integer),
  'soakMs?': integer,
  'witnesses?': integer,
  'deadlineMs?': integer,
  'window?': orNull(text),
  'allowDowngrade?': flag,
  'replaceApp?': flag,
  'force?': flag,
  'dryRun?': flag,
  'by?': text,
  'plan?': digest,
})

const diskItem = object({ kind: text, id: text, name: text, bytes: integer, needs: list(text) })
const disk = {
  freeBytes: integer,
  reserveBytes: integer,
  packageLimitBytes: integer,
  totals: list(object({ kind: text, count: integer, bytes: integer, reclaimable: integer })),
  items: list(diskItem),
}

export const schemas = {
  Role: oneOf(['viewer', 'operator', 'admin']),
  Code: oneOf(Object.keys(codes)),
  Counts: { type: 'object', properties: { total: integer }, required: ['total'], additionalProperties: integer },
  Error: object({ error: object({ code: ref('Code'), message: text, requestId: text }) }),
  Envelope: envelope,
  Health: object({
    status: oneOf(['ok', 'starting', 'draining', 'safe-mode']),
    'node?': object({ name: text, version: text, digest: text }),
    'app?': orNull(running),
    'shoal?': running,
  }),
  LogIn: {
    anyOf: [object({ name: text, passphrase: text }), object({ keyid: digest, challenge: text, signature: text })],
  },
  Session: session,
  Challenge: object({ challenge: text, expiresAt: text }),
  Fleet: object({
    fleet: nodeId,
    name: text,
    root: text,
    generation: integer,
    caPin: digest,
    self: object({ id: nodeId, addresses: list(text) }),
    redeems: flag,
    redeemers: list(nodeId),
    people: list(object(operator)),
  }),
  Node: node,
  Nodes: paged('nodes', ref('Node'), { fleet: nodeId }),
  Peers: paged('peers', object({ id: nodeId, name: text, address: text, pinned: flag, reach: text })),
  Release: object({
    kind: oneOf(['app', 'shoal']),
    name: text,
    version: text,
    packages: { type: 'object', additionalProperties: digest },
    nodes: integer,
  }),
  Releases: paged('releases', ref('Release')),
  Rollout: rollout,
  RolloutWithNodes: { allOf: [rollout, object({ nodes: list(ref('Node')) })] },
  BriefRollout: object({ ...ofRollout, waves: list(briefWave) }),
  Rollouts: paged('rollouts', { anyOf: [ref('Rollout'), ref('BriefRollout')] }),
  Operators: paged('operators', object(operator)),
  NewOperator: object({ ...operator, passphrase: text }),
  Tokens: object({
    tokens: list(object({ id: text, name: text, madeBy: text, madeAt: text, expiresAt: orNull(text), usedAt: orNull(text) })),
  }),
  NewToken: object({ id: text, name: text, token: text, expiresAt: orNull(text) }),
  Audit: paged(
    'audit',
    object({
      seq: integer,
      at: text,
      who: text,
      via: oneOf(['session', 'home', 'token', 'nobody', 'fact']),
      address: text,
      action: text,
      object: text,
      detail: text,
      result: text,
      requestId: orNull(text),
      hash: digest,
    }),
  ),
  AuditVerdict: object({ rows: integer, brokenAt: orNull(integer) }),
  Made: made,
  MadeRelease: object({ id: text, kind: text, name: text, version: text }),
  MadeOrder: object({ id: text, release: text }),
  MadeInvite: object({ id: text, 'token?': text, expiresAt: text }),
  Package: object({ digest: digest, 'name?': text, 'version?': text, 'size?': integer, 'kind?': text, 'platform?': text }),
  Disk: object(disk),
  Pruned: object({ ...disk, removed: list(diskItem), removedBytes: integer, failed: list(object({ id: text, message: text })) }),
  PruneBody: object({ 'all?': flag, 'logs?': flag, 'backupsOlderMs?': orNull(integer), 'dryRun?': flag }),
  Draft: object({
    order: { type: 'object' },
    planText: text,
    plan: { type: 'object' },
    names: { type: 'object', additionalProperties: text },
  }),
  Wish: wish,
  OrderBody: { anyOf: [object({ envelope: ref('Envelope'), planText: text }), wish] },
  ReleaseBody: either(object({ packages: list(digest), 'notes?': text })),
  ControlBody: either(object({ 'nodes?': list(text) })),
  InviteBody: either(object({ 'uses?': integer, 'expiresMs?': integer, 'canInvite?': flag, 'console?': flag })),
  RemovalBody: either(object({ reason: text })),
  HoldBody: either(object({ 'forMs?': orNull(integer), 'reason?': text })),
  OperatorBody: object({ name: text, role: ref('Role') }),
  TokenBody: object({ name: text, 'expiresMs?': integer }),
  Named: object({ name: text }),
  Address: object({ address: text }),
  ConfigFile: object({ id: nodeId, config: { type: 'object' }, restart: flag }),
  ConfigChange: object({ before: { type: 'object' }, config: { type: 'object' } }),
  Any: { type: 'object' },
} as const satisfies Record<string, Schema>

export type SchemaName = keyof typeof schemas
