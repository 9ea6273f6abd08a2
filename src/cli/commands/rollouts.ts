/** Rollouts: make an order, follow it, steer it. What changes the fleet is signed here and shown before. */
import { type Control, type ControlAction, controlParts, didYouMean, type NodeId, ShoalError } from '../../model/index.ts'
import { mkdtemp } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeTree } from '../../slots/index.ts'
import { type NodeAnswer, parseFleet, parseRollout, parseRollouts, type RolloutAnswer } from '../answers.ts'
import type { Context } from '../context.ts'
import { checkOptions, makeOrder, orderOptions, settingsOf, type Wish } from '../order.ts'
import { oneLine, plural, table } from '../output.ts'
import { confirm } from '../prompt.ts'
import { publish } from '../publishing.ts'
import { glyphsFor, render } from '../render.ts'
import { findKey, type LockedKey, personOf, sign, signingOptions, yesOption } from '../signing.ts'
import type { Args, CommandSpec, OptionSpec, Outcome } from '../spec.ts'
import { goSentence, preflightRows, verdictOf } from '../verdict.ts'
import { watchRollout, type Watched } from '../watch.ts'
import { packFolder, splitRelease } from './releases.ts'

const waitOption: OptionSpec = { flags: '--wait', about: 'follow it to its end, and end with its verdict' }

const get = (context: Context, id: string): Promise<unknown> => context.api().get(`rollouts/${encodeURIComponent(id)}`)

/** The end of a watched rollout: the document as the node gave it; where it ended otherwise than ordered, with the error. */
function ended(context: Context, { rollout, document }: Watched): Outcome {
  const { exit, lines, sentence } = verdictOf(rollout)
  const error = exit === 0 ? {} : { error: { code: 'ROLLOUT_NOT_DONE', message: sentence } }
  if (context.isJson) context.note(sentence)
  const text = rollout.isDryRun
    ? [...table(['node', 'id', 'answer', 'why'], preflightRows(rollout), context.width), goSentence(rollout)]
    : lines
  return { exit, document: { ...(document as object), ...error }, text }
}

async function order(context: Context, args: Args, wish: Wish, waits: boolean, key = findKey(context, args)): Promise<Outcome> {
  const made = await makeOrder(context, args, wish, key)
  const { dryRun } = settingsOf(args)
  if (waits || dryRun) return ended(context, await watchRollout(context, made.id))
  return {
    document: made,
    text: [`ordered ${made.release}: rollout ${made.id.slice(0, 8)}`, `next: shoal rollout watch ${made.id.slice(0, 8)}`],
  }
}

async function start(context: Context, args: Args): Promise<Outcome> {
  const { name, version } = splitRelease(args.need(0, 'release'))
  return order(context, args, { release: `${name}@${version}`, rollback: null }, args.has('wait'))
}

/** @param of the rollout that was aborted, whose nodes are to go back */
const back = (context: Context, args: Args, of: string | null = null): Promise<Outcome> =>
  order(context, args, { release: null, rollback: { to: args.text('to') ?? null, of } }, args.has('wait'))

async function deploy(context: Context, args: Args): Promise<Outcome> {
  const source = context.path(args.need(0, 'folder or zip'))
  const key = findKey(context, args)
  context.api()
  await checkOptions(context, args)
  const temp = await mkdtemp(join(tmpdir(), 'shoal-deploy-'))
  try {
    const file = isFile(source) ? source : (await packFolder(context, source, join(temp, 'package.zip'), undefined)).file
    const [published] = await publish(context, key, [file], args.text('notes') ?? '')
    if (published === undefined) throw new ShoalError('INTERNAL', `${source}: nothing was published`)
    const release = `${published.name}@${published.version}`
    context.note(published.isNew ? `published ${release}` : `${release} was published already`)
    return await order(context, args, { release, rollback: null }, true, key)
  } finally {
    await removeTree(temp)
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

async function list(context: Context): Promise<Outcome> {
  const document = await context.api().getAll('rollouts', 'rollouts')
  const rows = parseRollouts(document).map(r => {
    const size = r.waves.reduce((sum, wave) => sum + wave.nodes.length, 0)
    const confirmed = r.waves.reduce((sum, wave) => sum + wave.confirmed, 0)
    return [r.id.slice(0, 8), oneLine(r.release), r.state, `${confirmed}/${size}`, oneLine(r.initiatedBy), r.initiatedAt]
  })
  const text =
    rows.length === 0
      ? ['nothing was rolled out yet; `shoal deploy DIR` begins']
      : table(['id', 'release', 'state', 'done', 'by', 'at'], rows, context.width)
  return { document, text }
}

async function show(context: Context, args: Args): Promise<Outcome> {
  const document = await get(context, args.word(0) ?? 'latest')
  const rollout = parseRollout(document)
  const lines = render(rollout, context.width, glyphsFor(context.io.env))
  return { document, text: [rollout.id, ...lines, verdictOf(rollout).sentence] }
}

async function watchIt(context: Context, args: Args): Promise<Outcome> {
  // `latest` may be another one by the time of the next look.
  const { id } = parseRollout(await get(context, args.word(0) ?? 'latest'))
  return ended(context, await watchRollout(context, id))
}

/** Signs a control and hands it in: its generation follows from all that counts by now. */
async function handIn(context: Context, key: LockedKey, what: Pick<Control, 'order' | 'action' | 'nodes'>): Promise<unknown> {
  const fleet = parseFleet(await context.api().get('fleet'))
  const { name } = personOf(key, fleet)
  const payload: Control = { ...what, fleet: fleet.fleet, generation: fleet.generation + 1, by: name, at: new Date().toISOString() }
  return context.api().post(`rollouts/${what.order}/${what.action}`, { envelope: await sign('control', payload, key) })
}

/** One fact names so many nodes and no more, so many nodes take several controls. */
async function control(
  context: Context,
  args: Args,
  action: ControlAction,
  nodesOf: (rollout: RolloutAnswer) => readonly NodeId[],
  question: string | null,
): Promise<Outcome> {
  const key = findKey(context, args)
  const rollout = parseRollout(await get(context, args.word(0) ?? 'latest'))
  personOf(key, parseFleet(await context.api().get('fleet')))
  const nodes = nodesOf(rollout)
  if (question !== null)
    await confirm(
      context,
      args.has('yes'),
      [`${action} ${oneLine(rollout.release)} (${rollout.id.slice(0, 8)}, ${rollout.state})`],
      question,
    )
  let document: unknown
  let done = 0
  for (const part of controlParts(nodes)) {
    document = await handIn(context, key, { order: rollout.id as Control['order'], action, nodes: part })
    done += part.length
    if (done < nodes.length) context.note(`${action}: ${done} of ${plural(nodes.length, 'node')}`)
  }
  const whom = nodes.length === 0 ? '' : ` ${plural(nodes.length, 'node')}`
  return { document, text: [`${action}${whom}: ${oneLine(rollout.release)} (${rollout.id.slice(0, 8)})`] }
}

/** Nodes of a rollout by id, prefix or name. @throws ShoalError NOT_FOUND, AMBIGUOUS */
export function findNodes(nodes: readonly NodeAnswer[], words: readonly string[]): readonly NodeId[] {
  return words.map(word => {
    const found = nodes.filter(node => node.name === word || (word.length >= 6 && node.id.startsWith(word.toLowerCase())))
    const [only] = found
    if (found.length > 1) throw new ShoalError('AMBIGUOUS', `node ${word}: ${found.map(node => node.id.slice(0, 8)).join(', ')} fit`)
    if (only === undefined) {
      const names = nodes.map(node => node.name)
      throw new ShoalError('NOT_FOUND', `the rollout has no node ${word}${didYouMean(word, names)}`)
    }
    return only.id
  })
}

/** Whom `skip` means when it names nobody: those that the rollout waits for in vain. */
function blocking(rollout: RolloutAnswer): readonly NodeId[] {
  const found = rollout.nodes
    .filter(
      n => !['confirmed', 'skipped'].includes(n.outcome ?? (n.reach === 'lost' || n.reason?.code === 'HELD' ? 'missing' : 'confirmed')),
    )
    .map(n => n.id)
  if (found.length === 0)
    throw new ShoalError('NOTHING_TO_DO', `no node of ${rollout.release} failed or is missing; name the nodes to skip`)
  return found
}

const named =
  (args: Args) =>
  (rollout: RolloutAnswer): readonly NodeId[] =>
    findNodes(rollout.nodes, args.words(1))
const nobody = (): readonly NodeId[] => []

async function abort(context: Context, args: Args): Promise<Outcome> {
  const { id } = parseRollout(await get(context, args.word(0) ?? 'latest'))
  const aborted = await control(context, args, 'abort', nobody, 'Abort it?')
  if (!args.has('rollback')) return aborted
  for (const line of aborted.text) context.note(line)
  return back(context, args, id)
}

const skip = (context: Context, args: Args): Promise<Outcome> =>
  control(context, args, 'skip', rollout => (args.words(1).length === 0 ? blocking(rollout) : named(args)(rollout)), 'Go on without them?')

const steering = [...signingOptions, yesOption]

export const rolloutCommands: readonly CommandSpec[] = [
  { path: 'rollout start', args: '<name@version>', about: 'order a published release', options: [...orderOptions, waitOption], run: start },
  { path: 'rollout list', about: 'all rollouts', isDefault: true, run: list },
  { path: 'rollout show', aliases: ['status'], args: '[id]', about: 'one rollout (default: the latest)', run: show },
  { path: 'rollout watch', args: '[id]', about: 'follow a rollout to its end', run: watchIt },
  {
    path: 'rollout pause',
    args: '[id]',
    about: 'nobody else starts until it is resumed',
    options: signingOptions,
    run: (c, a) => control(c, a, 'pause', nobody, null),
  },
  { path: 'rollout resume', args: '[id]', about: 'go on', options: signingOptions, run: (c, a) => control(c, a, 'resume', nobody, null) },
  {
    path: 'rollout abort',
    args: '[id]',
    about: 'nobody else starts, for good',
    options: [
      { flags: '--rollback', about: 'then order the last confirmed release' },
      { flags: '--to <version>', about: 'with --rollback: that version' },
      ...orderOptions,
      waitOption,
    ],
    run: abort,
  },
  {
    path: 'rollout skip',
    args: '<id> [nodes...]',
    about: 'go on without these nodes (default: all that failed or are missing)',
    options: steering,
    run: skip,
  },
  {
    path: 'rollout retry',
    args: '<id> [nodes...]',
    about: 'try again on these nodes (default: all that failed)',
    options: steering,
    run: (c, a) => control(c, a, 'retry', named(a), null),
  },
  {
    path: 'rollback',
    aliases: ['undo'],
    about: 'order the last confirmed release, or a named one',
    options: [{ flags: '--to <version>', about: 'that version' }, ...orderOptions, waitOption],
    run: (c, a) => back(c, a),
  },
  {
    path: 'deploy',
    aliases: ['update'],
    args: '<dir|file.zip>',
    about: 'pack if need be, publish, order, watch',
    options: [{ flags: '--notes <text>', about: 'what is new' }, ...orderOptions, waitOption],
    run: deploy,
  },
]
