/** What the schemas of the API are made of: values, and what several of them share. Fields that a later version adds are allowed everywhere. */
import { healths, outcomes, steps } from '../model/index.ts'

export type Schema = Readonly<Record<string, unknown>>

export const text: Schema = { type: 'string' }
export const integer: Schema = { type: 'integer' }
export const flag: Schema = { type: 'boolean' }
export const nodeId: Schema = { type: 'string', pattern: '^[a-z2-7]{52}$' }
export const digest: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' }
export const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
export const oneOf = (list: readonly string[]): Schema => ({ enum: list })
export const list = (items: Schema): Schema => ({ type: 'array', items })
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

/** An object; a name that ends with `?` may be missing. */
export function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    required: entries.filter(([name]) => !name.endsWith('?')).map(([name]) => name),
  }
}

export const paged = (name: string, items: Schema, more: Readonly<Record<string, Schema>> = {}): Schema =>
  object({ ...more, [name]: list(items), counts: ref('Counts'), next: orNull(text) })

export const running = object({ name: text, version: text, digest: digest })
const bytes = object({ fetched: integer, reused: integer, served: integer, sources: integer })
const tally = { state: oneOf(['closed', 'open', 'passed']), need: integer, confirmed: integer, failed: integer, missing: integer }
const wave = object({ ...tally, nodes: list(nodeId) })
export const briefWave = object({ ...tally, size: integer })

export const node = object({
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

export const ofRollout = {
  id: text,
  release: text,
  kind: oneOf(['app', 'shoal']),
  initiatedBy: text,
  initiatedAt: text,
  dryRun: flag,
  state: oneOf(['open', 'paused', 'halted', 'stalled', 'aborted', 'expired', 'completed', 'completed-with-exceptions']),
  opensWhen: text,
}
export const rollout = object({ ...ofRollout, waves: list(wave) })

export const session = object({ name: text, role: ref('Role'), csrf: text, canSign: flag, expiresAt: text })
export const operator = { name: text, role: ref('Role'), keyid: digest }
export const envelope = object({
  payloadType: text,
  payload: text,
  signatures: list(object({ keyid: digest, sig: text })),
})
const signed = object({ envelope: ref('Envelope') })
export const either = (plain: Schema): Schema => ({ anyOf: [signed, plain] })
export const made = object({ id: text })
export const wish = object({
  'release?': orNull(text),
  'rollback?': orNull(object({ 'to?': orNull(text), 'of?': orNull(text) })),
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
  'data?': orNull(oneOf(['keep', 'restore'])),
  'replaceApp?': flag,
  'force?': flag,
  'dryRun?': flag,
  'by?': text,
  'plan?': digest,
})

export const diskItem = object({ kind: text, id: text, name: text, bytes: integer, needs: list(text) })
export const disk = {
  freeBytes: integer,
  reserveBytes: integer,
  packageLimitBytes: integer,
  totals: list(object({ kind: text, count: integer, bytes: integer, reclaimable: integer })),
  items: list(diskItem),
}

const cell = object({
  id: nodeId,
  name: text,
  reach: text,
  health: oneOf(healths),
  step: oneOf(steps),
  outcome: orNull(oneOf(outcomes)),
  percent: { type: 'number' },
})
const served = object({ id: nodeId, name: text, serves: orNull(text), again: flag })
const failure = object({
  code: text,
  platform: text,
  outcome: oneOf(outcomes),
  message: text,
  count: integer,
  nodes: list(served),
  log: list(text),
  newer: orNull(text),
})
export const board = object({
  id: text,
  release: text,
  kind: oneOf(['app', 'shoal']),
  by: text,
  at: text,
  state: ofRollout.state,
  dryRun: flag,
  hasPlan: flag,
  unanswered: integer,
  able: integer,
  soakMs: integer,
  window: orNull(text),
  opens: orNull(text),
  leftMs: integer,
  waves: list(object({ ...tally, size: integer, maxFailed: integer, waiting: integer, cells: list(cell) })),
  failures: list(failure),
  bytes,
})
const named = list(object({ name: text, nodes: integer }))
const counts = { type: 'object', additionalProperties: integer }
export const summary = object({
  fleet: nodeId,
  name: text,
  generation: integer,
  self: object({ id: nodeId, name: text, life: text, address: text, redeems: flag }),
  counts,
  apps: named,
  shoals: named,
  platforms: named,
  tags: named,
  ailing: list(ref('Node')),
  cells: list(cell),
  rollouts: list(ref('Board')),
  releases: integer,
})
export const backup = object({
  id: text,
  kind: text,
  at: text,
  node: text,
  own: flag,
  app: orNull(text),
  dataVersion: orNull(integer),
  files: orNull(integer),
  bytes: integer,
  state: text,
  reason: orNull(object({ code: text, message: text })),
})
const step = object({ step: text, ok: flag, message: text })
export const peerTest = object({ id: orNull(nodeId), address: text, ok: flag, step: orNull(text), message: text, steps: list(step) })
export const exported = { fleet: nodeId, facts: list({ type: 'object' }), plans: list(object({ digest, text })) }
export const joining = { invite: text, node: nodeId, spki: text, proof: text, 'name?': text, 'addresses?': list(text), 'claim?': text }
export const admitted = {
  roots: list(text),
  ca: text,
  cert: text,
  caKey: orNull(text),
  console: flag,
  facts: list({ type: 'object' }),
  redeemer: object({ id: nodeId, address: text }),
}
