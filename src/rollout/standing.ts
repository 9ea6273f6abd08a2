/**
 * Which documents of an operator who goes, or gets a new key, must count on (decision 8): without them the fleet would do something else than it
 * does now, or a later node could not find its way. What matters most stands first, since a root can name only so many.
 */
import rcompare from 'semver/functions/rcompare.js'
import { type Digest, type Fact, packageKinds, parseControl, parseEnvelope, parseHold, parseJson, parseStatusBody } from '../model/index.ts'
import { sha256 } from '../trust/index.ts'
import { joinControls, type KnownOrder, OrderBook, payloadOf } from './core/index.ts'
import { keptOrders } from './replica.ts'

/** Orders for all nodes behind which an older one decides nothing: the newest, and the one before, to which a rollback goes. */
const coveringOrders = 2
/** Documents of one person that are named at most: each later root carries them. */
const maxNamed = 200
const bookKinds = new Set(['release', 'order', 'control'])

/** @param facts all that are known. @returns digests of documents that `keyid` signed, what matters most first */
export function standingDocuments(facts: readonly Fact[], keyid: string): readonly Digest[] {
  const own = facts.filter(f => f.owner === keyid)
  const of = (kind: string): readonly Fact[] => own.filter(f => f.kind === kind).toSorted((a, b) => b.version - a.version)
  const book = new OrderBook()
  for (const fact of facts) if (bookKinds.has(fact.kind)) book.take(fact)
  const deciding = decidingOrders(book)
  const controls = of('control').map(fact => ({ fact, control: parseControl(payloadOf(fact)) }))
  const releases = of('release')
  const named = (digests: readonly string[]): readonly Fact[] => digests.flatMap(d => releases.filter(f => f.name === d))
  const first = [
    ...of('removal'),
    ...controls.filter(c => c.control.action === 'abort').map(c => c.fact),
    ...deciding.flatMap(known => [
      ...named([known.order.release]),
      ...of('order').filter(f => f.name === known.id),
      ...controls.filter(c => c.control.order === known.id).map(c => c.fact),
    ]),
    ...of('hold').filter(f => parseHold(payloadOf(f)).hold),
    ...named(runningReleases(facts, book)),
    ...named(newestReleases(book)),
    ...of('order'),
  ]
  return [...new Set(first)].slice(0, maxNamed).map(digestOf)
}

const digestOf = (fact: Fact): Digest => sha256(Buffer.from(parseEnvelope(parseJson(fact.body, fact.kind)).payload, 'base64'))

/** Orders by which some node goes, or would go back, or that a new node would take; newest first of each kind. */
function decidingOrders(book: OrderBook): readonly KnownOrder[] {
  const alive = book.orders({ ageOf: () => 0, isGone: () => false }).filter(o => !o.order.dryRun && !joinControls(o.controls).aborted)
  return packageKinds.flatMap(kind => {
    const line = alive.filter(o => o.order.kind === kind).toSorted((a, b) => b.order.generation - a.order.generation)
    const covering = line.filter(({ order }) => order.selector.only.length + order.selector.tags.length === 0)
    const last = covering[coveringOrders - 1]
    return line.slice(0, last === undefined ? keptOrders : line.indexOf(last) + 1)
  })
}

const newestReleases = (book: OrderBook): readonly string[] =>
  book
    .releases()
    .toSorted((a, b) => rcompare(a.release.version, b.release.version))
    .map(r => r.document)

/** Documents of the releases that nodes say they run. */
function runningReleases(facts: readonly Fact[], book: OrderBook): readonly string[] {
  const statuses = facts.filter(f => f.kind === 'status').map(f => parseStatusBody(parseJson(f.body, 'status')))
  const digests = new Set(statuses.flatMap(s => [s.app?.digest, s.shoal.digest]))
  return book
    .releases()
    .filter(({ release }) => Object.values(release.packages).some(ref => digests.has(ref.digest)))
    .map(r => r.document)
}
