/** The fleet: status, nodes list, show, remove, hold, unhold. */
import { type Hold, type Removal, ShoalError } from '../../model/index.ts'
import { type NodeAnswer, parseFleet, parseNode, parseNodes } from '../answers.ts'
import { aboutLines, askAbout } from '../about.ts'
import type { Context } from '../context.ts'
import { lineOfText } from '../log-line.ts'
import { ago, bytesText, oneLine, plural, table } from '../output.ts'
import { confirm } from '../prompt.ts'
import { forceOption, mayGo } from '../redeemers.ts'
import { wordsOf } from '../render.ts'
import { findKey, personOf, sign, signingOptions, yesOption } from '../signing.ts'
import { type Args, type CommandSpec, durationWithin, type Outcome } from '../spec.ts'

const runs = (app: NodeAnswer['app']): string => (app === null ? '-' : oneLine(`${app.name}@${app.version}`))
const seen = (node: NodeAnswer): string =>
  node.reach !== 'lost' ? node.reach : node.ageMs === 0 ? 'not seen yet' : `lost ${ago(node.ageMs)}`

function row(node: NodeAnswer): readonly string[] {
  const health = node.health === 'ok' ? '' : node.health
  return [
    oneLine(node.name),
    node.id.slice(0, 8),
    seen(node),
    runs(node.app),
    node.address,
    `${health} ${node.step === 'idle' && node.outcome === null ? '' : wordsOf(node)}`.trim(),
  ]
}

async function list(context: Context, args: Args): Promise<Outcome> {
  const document = await context.api().getAll(args.has('all') ? 'nodes?all=1' : 'nodes', 'nodes')
  const nodes = parseNodes(document)
  const lost = nodes.filter(node => node.reach === 'lost').length
  const summary = `${plural(nodes.length, 'node')}${lost > 0 ? `, ${lost} lost` : ''}`
  return { document, text: [...table(['name', 'id', 'reach', 'app', 'address', 'doing'], nodes.map(row), context.width), summary] }
}

function details(node: NodeAnswer): readonly string[] {
  const { bytes } = node
  return [
    `${oneLine(node.name)}  ${node.id}`,
    `  reach    ${seen(node)}${node.isSelf ? ' (this node)' : ''}  ${node.address}`,
    `  machine  ${node.platform}, Node.js ${node.nodejs}${node.tags.length > 0 ? `, tags ${node.tags.join(' ')}` : ''}`,
    `  app      ${runs(node.app)}${node.desiredApp !== null && node.desiredApp !== runs(node.app) ? `, should run ${oneLine(node.desiredApp)}` : ''}`,
    `  shoal    ${node.shoal?.version ?? '-'}`,
    `  health   ${node.health}${heldText(node)}`,
    `  doing    ${wordsOf(node)}${node.rollout === null ? '' : `  (rollout ${node.rollout.slice(0, 8)})`}`,
    ...(bytes === null
      ? []
      : [
          `  bytes    ${bytesText(bytes.fetched)} fetched from ${plural(bytes.sources, 'source')}, ${bytesText(bytes.reused)} reused, ${bytesText(bytes.served)} served`,
        ]),
    ...(node.migrationMs === null ? [] : [`  data     the migration took ${seconds(node.migrationMs)} on a copy`]),
    ...(node.fingerprint === '' ? [] : [`  login    --fingerprint ${node.fingerprint}`]),
    ...node.log.map(line => `    ${lineOfText(line)}`),
  ]
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`

function heldText({ held }: NodeAnswer): string {
  if (held === null) return ''
  const reason = held.reason === '' ? '' : `: ${oneLine(held.reason)}`
  return `, held by ${oneLine(held.by)}${reason}${held.leftMs === null ? '' : `, ${ago(held.leftMs)} left`}`
}

async function showNode(context: Context, which: string): Promise<Outcome> {
  const document = await context.api().get(`nodes/${encodeURIComponent(which)}`)
  return { document, text: details(parseNode(document)) }
}

/** With what the node alone knows of itself; it is asked for it, and may be away. */
async function showAll(context: Context, which: string): Promise<Outcome> {
  const { document, text } = await showNode(context, which)
  const about = await askAbout(context.api(), parseNode(document).id, line => context.note(line))
  return { document: { ...(document as object), about }, text: [...text, ...aboutLines(about)] }
}

async function remove(context: Context, args: Args): Promise<Outcome> {
  const reason = args.text('reason')
  if (reason === undefined) throw new ShoalError('USAGE', 'nodes remove needs --reason <text>')
  const key = findKey(context, args)
  const fleet = parseFleet(await context.api().get('fleet'))
  const person = personOf(key, fleet)
  if (person.role !== 'admin') throw new ShoalError('NOT_ALLOWED', `${person.name} is ${person.role}; removing a node takes an admin`)
  const node = parseNode(await context.api().get(`nodes/${encodeURIComponent(args.need(0, 'node'))}`))
  mayGo(fleet, node.id, args)
  const plan = [`Removes ${oneLine(node.name)} (${node.id.slice(0, 8)}) from fleet ${fleet.name}: it needs a new invite to come back.`]
  await confirm(context, args.has('yes'), plan, 'Remove it?')
  const removal: Removal = {
    fleet: fleet.fleet,
    node: node.id,
    generation: fleet.generation + 1,
    reason,
    by: person.name,
    at: new Date().toISOString(),
  }
  const document = await context.api().post(`nodes/${node.id}/remove`, { envelope: await sign('removal', removal, key) })
  return { document, text: [`removed ${oneLine(node.name)} (${node.id.slice(0, 8)})`] }
}

/** Holds a node, or ends a hold: it goes on with what was ordered meanwhile. */
async function hold(context: Context, args: Args, isHold: boolean): Promise<Outcome> {
  const forMs = args.read('for', durationWithin('1ms'), null)
  const key = findKey(context, args)
  const fleet = parseFleet(await context.api().get('fleet'))
  const person = personOf(key, fleet)
  const node = parseNode(await context.api().get(`nodes/${encodeURIComponent(args.need(0, 'node'))}`))
  const payload: Hold = {
    fleet: fleet.fleet,
    node: node.id,
    generation: fleet.generation + 1,
    hold: isHold,
    forMs,
    reason: args.text('reason') ?? '',
    by: person.name,
    at: new Date().toISOString(),
  }
  const path = `nodes/${node.id}/${isHold ? 'hold' : 'unhold'}`
  const document = await context.api().post(path, { envelope: await sign('hold', payload, key) })
  const who = `${oneLine(node.name)} (${node.id.slice(0, 8)})`
  const until = forMs === null ? '`shoal nodes unhold` ends it' : `for ${ago(forMs)}`
  return { document, text: [isHold ? `${who} is held: it starts nothing; ${until}` : `${who} is held no longer`] }
}

export const nodeCommands: readonly CommandSpec[] = [
  { path: 'status', about: 'what the node at home runs and does', run: context => showNode(context, 'self') },
  {
    path: 'nodes list',
    about: 'all nodes',
    options: [{ flags: '--all', about: 'also those that were removed' }],
    isDefault: true,
    run: list,
  },
  {
    path: 'nodes show',
    args: '<node>',
    about: 'one node, with its slots, links, backups and disk: id, prefix, name, or self',
    run: (context, args) => showAll(context, args.need(0, 'node')),
  },
  {
    path: 'nodes remove',
    args: '<node>',
    about: 'take a node out of the fleet, for good',
    options: [{ flags: '--reason <text>', about: 'why' }, forceOption, ...signingOptions, yesOption],
    run: remove,
  },
  {
    path: 'nodes hold',
    args: '<node>',
    about: 'have a node wait: it starts no order',
    options: [
      { flags: '--for <time>', about: 'how long (default: until it is released)' },
      { flags: '--reason <text>', about: 'why' },
      ...signingOptions,
    ],
    run: (context, args) => hold(context, args, true),
  },
  {
    path: 'nodes unhold',
    args: '<node>',
    about: 'end a hold; the node goes on with what was ordered',
    options: signingOptions,
    run: (context, args) => hold(context, args, false),
  },
]
