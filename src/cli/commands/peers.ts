/** Sync peers: members that this node keeps a link to, and what keeps it from one. */
import { formatAddress, parseAddress } from '../../model/index.ts'
import { parseMade, parsePeers, type PeerTestAnswer, parsePeerTests } from '../answers.ts'
import type { Context } from '../context.ts'
import { oneLine, table } from '../output.ts'
import { type Args, asUsage, type CommandSpec, type Outcome } from '../spec.ts'

async function list(context: Context): Promise<Outcome> {
  const document = await context.api().getAll('peers', 'peers')
  const rows = parsePeers(document).map(p => [oneLine(p.name), p.id.slice(0, 8), p.reach, p.isPinned ? 'pinned' : '', p.address])
  return {
    document,
    text:
      rows.length === 0
        ? ['no peers yet; `shoal invite` lets one in']
        : table(['name', 'id', 'reach', 'pinned', 'address'], rows, context.width),
  }
}

async function add(context: Context, args: Args): Promise<Outcome> {
  const address = formatAddress(asUsage(() => parseAddress(args.need(0, 'address'), 'address')))
  const document = await context.api().post('peers', { address })
  return { document, text: [`${address} is node ${parseMade(document).slice(0, 8)}, a sync peer now`] }
}

async function remove(context: Context, args: Args): Promise<Outcome> {
  const document = await context.api().remove(`peers/${encodeURIComponent(args.need(0, 'peer'))}`)
  return { document, text: [`${parseMade(document).slice(0, 8)} is no sync peer any more`] }
}

async function test(context: Context, args: Args): Promise<Outcome> {
  const target = args.word(0)
  const document = await context.api().post('peers/test', target === undefined ? {} : { target })
  const tests = parsePeerTests(document)
  const rows = tests.map(t => [t.id.slice(0, 8), t.address, t.isOk ? 'ok' : `fails at ${t.step ?? 'an unknown step'}`, oneLine(t.message)])
  const text = rows.length === 0 ? ['no peers to test'] : table(['id', 'address', 'result', 'why'], rows, context.width)
  return { document, text, ...failureOf(tests.filter(t => !t.isOk)) }
}

/** The steps at which ways end, for a script that reads standard error alone. */
function failureOf(failed: readonly PeerTestAnswer[]): Pick<Outcome, 'failure'> {
  const [first] = failed
  if (first === undefined) return {}
  const line = (t: PeerTestAnswer): string =>
    `${t.id === '' ? '' : `${t.id.slice(0, 8)} at `}${t.address} fails at ${t.step ?? 'an unknown step'}: ${oneLine(t.message)}`
  return {
    failure: {
      code: first.step === 'clock' ? 'CLOCK_OFF' : 'PEER_FAILED',
      message: failed.map(line).join('\n'),
      ...(first.step === 'clock'
        ? {}
        : { todo: 'See whether the node runs there, and what stands between; `shoal doctor` there says more.' }),
    },
  }
}

export const peerCommands: readonly CommandSpec[] = [
  { path: 'peers list', about: 'links and sync peers of the node at home', isDefault: true, run: list },
  { path: 'peers add', args: '<host:port>', about: 'keep a link to the node there', run: add },
  { path: 'peers remove', args: '<peer>', about: 'keep it no longer', run: remove },
  {
    path: 'peers test',
    args: '[peer]',
    about: 'name the first step that fails: name, TCP, TLS, certificate, identity, membership, protocol, clock',
    run: test,
  },
]
