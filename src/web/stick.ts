/**
 * What travels on a stick between parts of a fleet that have no network between them: all facts, and the plans that orders name. What comes
 * in is judged as if a peer had sent it, first on a copy of what is known: if anything in it is forged, nothing of it is taken.
 */
import { FleetView, fleetJudge, Registers } from '../facts/index.ts'
import {
  asBoolean,
  asString,
  type Digest,
  type Fact,
  Fields,
  maxDocumentBytes,
  parseDigest,
  parseFact,
  parseFleetId,
  parseJson,
  parsePlan,
  ShoalError,
} from '../model/index.ts'
import { sha256, trustFirstRoot } from '../trust/index.ts'
import type { Route } from './route.ts'
import { v1 } from './route.ts'
import { readJson } from './body.ts'
import type { WebServices } from './services.ts'

const maxImportBytes = 64 << 20
const maxFacts = 500_000
/** Facts that are judged before others get a turn: a signature takes a tenth of a millisecond. */
const sliceFacts = 200

/** What a good fleet's file can hold too: the word of a node that was removed meanwhile, an order that is past. */
const isHarmless = (code: string): boolean => code === 'NOT_MEMBER' || code === 'ORDER_CLOSED'

interface Stick {
  /** Only judge it: a client looks first, hands in the packages, then comes again. */
  readonly isCheck: boolean
  readonly facts: readonly Fact[]
  readonly plans: ReadonlyMap<Digest, string>
}

export function stickRoutes(s: WebServices): readonly Route[] {
  return [
    { method: 'GET', path: `${v1}export`, access: 'viewer', handle: () => exported(s) },
    {
      method: 'POST',
      path: `${v1}import`,
      access: 'home or operator',
      handle: async ctx => {
        const stick = readStick(await readJson(ctx.req, maxImportBytes), s)
        if (!stick.isCheck) await s.disk.need(Number(ctx.get('content-length')) || 0, [], false)
        return taken(s, stick)
      },
    },
  ]
}

function exported(s: WebServices): Record<string, unknown> {
  const { replica } = s
  const plans = replica.orders().flatMap(({ order }) => {
    const text = s.document(order.plan)
    return text === undefined ? [] : [{ digest: order.plan, text }]
  })
  return { fleet: replica.fleet.root.fleet, facts: replica.registers.all(), plans }
}

/** @throws ShoalError OTHER_FLEET, BAD_REQUEST, DIGEST_MISMATCH */
function readStick(f: Fields, s: WebServices): Stick {
  const { fleet } = s.replica.fleet.root
  const from = f.get('fleet', parseFleetId)
  if (from !== fleet) throw new ShoalError('OTHER_FLEET', `the export is of fleet ${from}, this is ${fleet}`)
  const plan = (value: unknown, where: string): readonly [Digest, string] => {
    const p = new Fields(value, where)
    const [digest, text] = [p.get('digest', parseDigest), p.get('text', (v, w) => asString(v, w, maxDocumentBytes))]
    if (sha256(text) !== digest) throw new ShoalError('DIGEST_MISMATCH', `${where}: sha256 is ${sha256(text)}, it is named ${digest}`)
    parsePlan(parseJson(text, where, maxDocumentBytes))
    return [digest, text]
  }
  return {
    isCheck: f.maybe('check', asBoolean, false),
    facts: f.list('facts', parseFact, maxFacts),
    plans: new Map(f.list('plans', plan, 10_000)),
  }
}

/** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, BAD_ROOT, BAD_REQUEST; nothing was taken then */
async function taken(s: WebServices, { isCheck, facts, plans }: Stick): Promise<Record<string, unknown>> {
  const { replica } = s
  const fleet = copyOfFleet(s)
  const registers = new Registers()
  for (const fact of replica.registers.all()) registers.merge(fact)
  const judge = fleetJudge(fleet)
  const good: Fact[] = []
  // This node knows best what it said itself.
  let open = facts.filter(fact => fact.owner !== s.self && ['new', 'conflict'].includes(registers.compare(fact)))
  for (let before = -1; before !== open.length; ) {
    before = open.length
    const waiting: Fact[] = []
    for (const [at, fact] of open.entries()) {
      if (at % sliceFacts === sliceFacts - 1) await new Promise(resolve => setImmediate(resolve))
      const verdict = judge(fact, registers)
      if (verdict.v === 'reject' && !isHarmless(verdict.code)) throw new ShoalError(verdict.code, verdict.message)
      if (verdict.v === 'wait') waiting.push(fact)
      if (verdict.v !== 'accept') continue
      registers.merge(fact)
      fleet.apply(fact)
      good.push(fact)
    }
    open = waiting
  }
  if (isCheck) return { facts: good.length, plans: 0, waiting: open.length }
  // In the order in which they were judged; what the node does with each is what it does with a peer's.
  if (good.length > 0)
    s.publish(
      good.filter(fact => replica.judge(fact, replica.registers).v === 'accept'),
      true,
    )
  const wanted = new Set<string>(replica.book.missingPlans())
  const found = [...plans].filter(([digest]) => wanted.has(digest))
  for (const [digest, text] of found) replica.addPlan(digest, text)
  if (found.length > 0) s.holdingsChanged()
  return { facts: good.length, plans: found.length, waiting: open.length }
}

function copyOfFleet({ replica }: WebServices): FleetView {
  const { fleet } = replica
  const copy = new FleetView(trustFirstRoot(fleet.rootText(1) ?? '', fleet.root.fleet))
  for (const kinds of [['root'], ['member'], ['removal', 'node', 'order', 'control', 'hold']])
    for (const kind of kinds) for (const fact of replica.registers.ofKind(kind).toSorted((a, b) => a.version - b.version)) copy.apply(fact)
  return copy
}
