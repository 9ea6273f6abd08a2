/** Documents, facts, messages between processes, and files that a disk may have changed. */
import assert from 'node:assert/strict'
import { parseJournal } from '../../src/data/journal.ts'
import {
  formatConfig,
  parseBlockmap,
  parseConfig,
  parseControl,
  parseCurrent,
  parseDigest,
  parseEnvelope,
  parseFact,
  parseFleetId,
  parseFromWorker,
  parseHold,
  parseInvite,
  parseManifest,
  parseNodeBody,
  parseNodeId,
  parseOrder,
  parseOutcomeBody,
  parsePlan,
  parsePreflightBody,
  parseReceiptBody,
  parseRelease,
  parseRemoval,
  parseStatusBody,
  parseToWorker,
} from '../../src/model/index.ts'
import { parseFileList } from '../../src/slots/files.ts'
import { formatToken, parseAdmission, parseToken } from '../../src/trust/index.ts'
import type { Random } from '../helpers/random.ts'
import { mutateBytes, mutateJson } from './mutate.ts'
import { jsonTarget, type Target, textTarget } from './target.ts'

const digest = 'ab'.repeat(32)
const id = 'a'.repeat(52)
const at = '2026-11-28T10:00:00.000Z'
const base = { fleet: id, generation: 3, by: 'anna', at }
const running = { name: 'till', version: '1.2.0', digest }
const trial = { order: id, attempt: 1, kind: 'app', digest, handover: 'overlap', probationMs: 10_000, linked: 2 }
const last = { order: id, attempt: 1, result: 'rolled-back', code: 'APP_UNHEALTHY', message: 'ill', linked: 2, log: ['a', 'b'] }
const reason = { code: 'DISK_FULL', message: '12 MB missing' }
const envelope = { payloadType: 'application/vnd.shoal.order.v1+json', payload: 'e30=', signatures: [{ keyid: digest, sig: 'c2ln' }] }
const fact = { kind: 'status', owner: id, name: '', epoch: 3, version: 7, body: '{}', sig: 'c2ln' }

const release = {
  ...base,
  kind: 'app',
  name: '@shop/till',
  version: '1.2.0-rc.1',
  dataVersion: 2,
  minFrom: '1.0.0',
  engines: '>=24',
  handover: 'exclusive',
  probationMs: 2000,
  packages: { 'linux-x64': { digest, size: 1000, blockmap: digest }, any: { digest, size: 1, blockmap: digest } },
  notes: 'n',
} // prettier-ignore
const order = {
  ...base,
  kind: 'app',
  name: 'till',
  version: '1.2.0',
  release: digest,
  plan: digest,
  selector: { only: [id], tags: ['till=7'] },
  soakMs: 10_000,
  witnesses: 1,
  deadlineMs: 1000,
  window: 'Sat 02:00-04:00 Europe/Berlin',
  allowDowngrade: false,
  data: 'keep',
  replaceApp: false,
  force: true,
  dryRun: false,
  node: id,
} // prettier-ignore
const config = {
  name: 'till 7',
  listen: '0.0.0.0:8443',
  advertise: ['[fe80::1]:8443'],
  tags: ['till', 'floor=2'],
  peers: [{ id, address: 'box-2:8443' }],
  hosts: ['till.local'],
  limits: { uploads: 2, reserveMb: 64 },
  alerts: [{ webhook: 'https://x/y' }, { command: ['/bin/true', 'a'] }],
  app: { a: [1] },
} // prettier-ignore
const journal = {
  schema: 1,
  held: { name: 'till', dataVersion: 2, readBy: 1 },
  swap: null,
  migration: { id: 'till-1-2', phase: 'migrated', app: digest, order: id, attempt: 1, to: { name: 'till', dataVersion: 3 } },
} // prettier-ignore
const status = {
  app: running,
  shoal: running,
  health: 'ok',
  rollout: id,
  step: 'transfer',
  percent: 50,
  migrationMs: 10,
  since: at,
  bytes: { fetched: 1, reused: 2, served: 3, sources: 1 },
} // prettier-ignore
const blockmap = {
  size: 30,
  segments: [
    [0, 10, digest],
    [10, 20, digest],
  ],
} // prettier-ignore
const token = {
  fleet: parseFleetId(id),
  ca: parseDigest(digest),
  redeemer: parseNodeId(id),
  addresses: ['10.0.0.7:8443', '[::1]:1'],
  invite: 'inv',
  key: 'a2V5',
}

const documents: readonly Target[] = [
  jsonTarget('release', parseRelease, [release]),
  jsonTarget('order', parseOrder, [order]),
  jsonTarget('plan', parsePlan, [{ waves: [{ nodes: [id], maxFailed: 0, maxMissing: 1 }], lost: [] }]),
  jsonTarget('control', parseControl, [{ ...base, order: id, action: 'skip', nodes: [id] }]),
  jsonTarget('invite', parseInvite, [
    { ...base, id: 'x', key: 'k', redeemer: id, uses: 2, expiresAt: at, canInvite: true, console: false },
  ]),
  jsonTarget('removal', parseRemoval, [{ ...base, node: id, reason: 'stolen' }]),
  jsonTarget('hold', parseHold, [{ ...base, node: id, hold: true, forMs: 1000, reason: 'fair' }]),
  jsonTarget('envelope', value => parseEnvelope(value), [envelope]),
  jsonTarget('admission', parseAdmission, [{ node: id, spki: 'c3BraQ==', invite: envelope, proof: 'cHJvb2Y=' }]),
]

const facts: readonly Target[] = [
  jsonTarget('fact', value => parseFact(value), [fact]),
  jsonTarget('node body', parseNodeBody, [
    { name: 'till 7', addresses: ['a:1'], tags: ['x=1'], platform: 'linux-x64', nodejs: '24.1.0', console: true, left: false },
  ]),
  jsonTarget('status body', parseStatusBody, [status]),
  jsonTarget('preflight body', parsePreflightBody, [{ order: id, attempt: 1, go: false, reason }]),
  jsonTarget('outcome body', parseOutcomeBody, [
    { order: id, attempt: 2, outcome: 'rolled-back', reason, digest, witnesses: 1, epoch: 4, log: ['x'] },
  ]),
  jsonTarget('receipt body', parseReceiptBody, [{ order: id, node: id, digest, epoch: 4 }]),
]

const processes: readonly Target[] = [
  jsonTarget('worker message', parseFromWorker, [
    { t: 'condemn', code: 'APP_UNHEALTHY', message: 'ill' },
    { t: 'listening', url: 'https://x', forward: '/run/x', app: 'a@1.0.0', shoal: '0.1.0', id8: 'abcdefgh' },
    { t: 'switch', target: trial },
    { t: 'hold', ms: 10, reason: 'r' },
  ]),
  jsonTarget('supervisor message', parseToWorker, [
    { t: 'init', app: digest, shoal: digest, builtIn: digest, safe: false, trial, ticketKeys: 'a2V5', hasLoader: true },
    { t: 'go', last, relayedPort: 8443 },
    { t: 'park', limitMs: 2000 },
    { t: 'switched', last },
  ]),
]

const files: readonly Target[] = [
  jsonTarget('config.json', value => parseConfig(value), [config]),
  jsonTarget('config.json as text', value => parseConfig(JSON.parse(formatConfig(parseConfig(value)))), [config]),
  jsonTarget('current.json', parseCurrent, [
    {
      app: digest,
      shoal: digest,
      builtIn: digest,
      previous: { app: null, shoal: digest },
      supervisor: digest,
      state: 'trial',
      attempts: 1,
      trial,
      last,
    },
  ]),
  textTarget('data.json', parseJournal, [journal]),
  jsonTarget('shoal.json', parseManifest, [
    { schema: 1, kind: 'app', name: 'till', version: '1.0.0', platform: 'any', engines: { node: '>=24', abi: 'napi-9' }, entry: 'a/b.js' },
  ]),
  jsonTarget('files.json', value => ({ files: parseFileList(value).map(f => [f.path, f.mode, f.sha256]) }), [
    { files: [['a/b.js', '0644', digest]] },
  ]),
  textTarget('blockmap', parseBlockmap, [blockmap]),
]

/** With a right checksum; lists in lists, which no maker of tokens could write, are left out. */
function oddToken(random: Random): string {
  const text = mutateJson(token, random)
  return formatToken({ ...token, ...(text.includes('[[[') ? {} : (JSON.parse(text) as Partial<typeof token>)) })
}

const tokens: Target = {
  name: 'token',
  accepts: () => assert.deepEqual(parseToken(formatToken(token)), token),
  try: random => {
    const read = parseToken(random.chance(0.5) ? oddToken(random) : mutateBytes(Buffer.from(formatToken(token)), random).toString())
    assert.deepEqual(parseToken(formatToken(read)), read)
  },
}

export const textTargets: readonly Target[] = [...documents, ...facts, ...processes, ...files, tokens]
