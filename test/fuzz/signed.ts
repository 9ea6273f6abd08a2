/** What is signed: whatever is changed about it, it is refused, or means what was signed. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type Fact, factMessage, parseEnvelope, parseFact, parseJson, ShoalError } from '../../src/model/index.ts'
import {
  factSigner,
  fleetIdOf,
  makeCa,
  makeRoot,
  newNodeKey,
  operatorKey,
  type OperatorKey,
  pinOf,
  type RootContent,
  signDocument,
  trustFirstRoot,
  trustNextRoot,
  verifyDocument,
  verifyFact,
} from '../../src/trust/index.ts'
import type { Random } from '../helpers/random.ts'
import { mutateBytes, mutateJson } from './mutate.ts'
import type { Target } from './target.ts'

const key = (name: string): OperatorKey => operatorKey(name, generateKeyPairSync('ed25519').privateKey)
const [anna, ben] = [key('anna'), key('ben')]

/** Half of the changes are to the text, half to the document. */
function changed(document: unknown, random: Random): string {
  const text = JSON.stringify(document)
  return random.chance(0.5) ? mutateBytes(Buffer.from(text), random).toString() : mutateJson(document, random)
}

const payload = { fleet: 'x', generation: 1 }
const envelope = signDocument('order', payload, [anna, ben])
const allowed = { keys: new Map([anna, ben].map(k => [k.keyid, k.publicHex])), threshold: 2 }
const readEnvelope = (text: string): void =>
  assert.deepEqual(verifyDocument(parseEnvelope(parseJson(text, 'sample')), 'order', allowed).payload, payload)

const node = newNodeKey()
const fact: Fact = factSigner(node.key)({ kind: 'status', owner: node.id, name: '', epoch: 3, version: 7, body: '{"a":1}' })
function readFact(text: string): void {
  const read = parseFact(parseJson(text, 'sample'))
  if (!verifyFact(read, node.spki)) throw new ShoalError('BAD_SIGNATURE', 'fact')
  assert.equal(factMessage(read), factMessage(fact))
}

const content: RootContent = {
  version: 1,
  fleetName: 'shops',
  people: [{ name: 'anna', role: 'admin', keyid: anna.keyid, publicHex: anna.publicHex }],
  caPin: pinOf(makeCa().cert),
  thresholds: { release: 1, order: 1 },
  spareAdmins: [],
}
const rootOne = makeRoot(content, [anna])
const one = trustFirstRoot(rootOne, fleetIdOf(rootOne))
const rootTwo = makeRoot(
  {
    ...content,
    version: 2,
    previous: one.id,
    people: [...content.people, { name: 'ben', role: 'operator', keyid: ben.keyid, publicHex: ben.publicHex }],
  },
  [anna],
)
const two = trustNextRoot(rootTwo, one)
function readRoot(text: string): void {
  const read = trustNextRoot(text, one)
  assert.deepEqual({ ...read, text: '' }, { ...two, text: '' })
}

const target = (name: string, sample: unknown, read: (text: string) => void): Target => ({
  name,
  accepts: () => read(JSON.stringify(sample)),
  try: random => read(changed(sample, random)),
})

export const signedTargets: readonly Target[] = [
  target('signed document', envelope, readEnvelope),
  target('signed fact', fact, readFact),
  target('next root', JSON.parse(rootTwo), readRoot),
]
