/**
 * Makes an order: the node drafts plan and payload, this checks that the draft is what was asked, shows it, signs it and hands it in. The
 * node is trusted with nothing: what is signed is what was read here.
 */
import { type Order, parseOrder, parsePlan, parseTag, Fields, parseJson, type Plan, ShoalError, asOneOf, asString } from '../model/index.ts'
import { defaultWaves, parseWaves, parseWindow } from '../rollout/index.ts'
import { sha256 } from '../trust/index.ts'
import { type FleetAnswer, parseFleet } from './answers.ts'
import type { Context } from './context.ts'
import { oneLine, plural } from './output.ts'
import { choose, confirm } from './prompt.ts'
import { type LockedKey, personOf, sign, signingOptions, yesOption } from './signing.ts'
import { type Args, asUsage, countWithin, durationWithin, type OptionSpec, parseCount } from './spec.ts'

export const orderOptions: readonly OptionSpec[] = [
  { flags: '--only <nodes>', about: 'only these nodes: ids, prefixes or names, with commas' },
  { flags: '--select <tags>', about: 'only nodes with one of these tags: tag=till, or site=berlin' },
  { flags: '--canary <nodes>', about: 'the nodes of the first wave' },
  { flags: '--waves <list>', about: 'cumulative counts or percents (default 1,10%,50%,100%)' },
  { flags: '--max-failed <n>', about: 'failures that a wave tolerates' },
  { flags: '--max-missing <n>', about: 'missing nodes that a wave tolerates' },
  { flags: '--soak <time>', about: 'pause between waves (default 10s)' },
  { flags: '--witnesses <n>', about: 'peers that must have seen a node come back (default 1)' },
  { flags: '--deadline <time>', about: 'nobody starts after that (default 7d)' },
  { flags: '--window <text>', about: 'when nodes may start: "Sat 02:00-04:00 Europe/Berlin"' },
  { flags: '--allow-downgrade', about: 'also to a lower version' },
  { flags: '--data <what>', about: 'going back over a migration: keep or restore the data', values: ['keep', 'restore'] },
  { flags: '--replace-app', about: "the data of another app's name is meant to be opened" },
  { flags: '--force', about: 'also nodes where this release failed before' },
  { flags: '--dry-run', about: 'ask every node whether it could, and no more' },
  ...signingOptions,
  yesOption,
]

/** What an order is to do: bring a release, or go back. */
export interface Wish {
  /** `name@version`, or null when it goes back. */
  readonly release: string | null
  /** `of`: back from that rollout, on its nodes; else from the newest. */
  readonly rollback: { readonly to: string | null; readonly of: string | null } | null
}

/** What the draft is asked to be; the order must say the same. */
export interface Settings {
  readonly soakMs: number
  readonly witnesses: number
  readonly deadlineMs: number
  readonly window: string | null
  readonly allowDowngrade: boolean
  readonly data: 'keep' | 'restore' | null
  readonly replaceApp: boolean
  readonly force: boolean
  readonly dryRun: boolean
}

const shortText =
  (maxChars: number) =>
  (value: unknown, where: string): string =>
    asString(value, where, maxChars)

/** @throws ShoalError USAGE */
export function settingsOf(args: Args): Settings {
  const window = args.read('window', shortText(100), null)
  if (window !== null) asUsage(() => parseWindow(window))
  return {
    soakMs: args.read('soak', durationWithin('0s'), 10_000),
    witnesses: args.read('witnesses', countWithin(0, 100), 1),
    deadlineMs: args.read('deadline', durationWithin('1ms'), 7 * 86_400_000),
    window,
    allowDowngrade: args.has('allowDowngrade'),
    data: args.read('data', (v, w) => asOneOf(v, w, ['keep', 'restore']), null),
    replaceApp: args.has('replaceApp'),
    force: args.has('force'),
    dryRun: args.has('dryRun'),
  }
}

/** `tag=till` means the tag `till` (and the tag `tag=till`, if there are such); `site=berlin` is a tag with its value. */
function tagsOf(args: Args): readonly string[] {
  const asked = args.list('select').flatMap(each => (each.startsWith('tag=') ? [each.slice('tag='.length), each] : [each]))
  return asked.map(each => asUsage(() => parseTag(each, '--select')))
}

export interface MadeOrder {
  readonly id: string
  readonly release: string
}

interface Draft {
  readonly order: Order
  /** The order as it came; its fields are signed as they are. */
  readonly payload: unknown
  readonly planText: string
  readonly plan: Plan
  readonly names: ReadonlyMap<string, string>
}

interface Selection {
  readonly only: readonly string[]
  readonly tags: readonly string[]
  readonly canary: readonly string[]
  readonly maxFailed: number | null
  readonly maxMissing: number | null
  readonly waves: string
}

/** @throws ShoalError USAGE */
function selectionOf(args: Args): Selection {
  const waves = args.read('waves', shortText(200), defaultWaves)
  asUsage(() => parseWaves(waves, 1))
  return {
    only: args.list('only'),
    tags: tagsOf(args),
    canary: args.list('canary'),
    maxFailed: args.read('maxFailed', parseCount, null),
    maxMissing: args.read('maxMissing', parseCount, null),
    waves,
  }
}

/** All that can be wrong with the options, before anything is published. @throws ShoalError USAGE, NOT_FOUND, AMBIGUOUS */
export async function checkOptions(context: Context, args: Args): Promise<void> {
  settingsOf(args)
  const { only, canary } = selectionOf(args)
  for (const name of new Set([...only, ...canary])) await context.api().get(`nodes/${encodeURIComponent(name)}`)
}

/** @throws ShoalError as the node refuses, NO_OPERATOR_KEY, BAD_PASSPHRASE, NOT_ALLOWED, CANCELLED */
export async function makeOrder(context: Context, args: Args, wish: Wish, key: LockedKey): Promise<MadeOrder> {
  const selection = selectionOf(args)
  const fleet = parseFleet(await context.api().get('fleet'))
  const { name: by } = personOf(key, fleet)
  const ask = async (settings: Settings): Promise<Drafted> => ({
    settings,
    draft: readDraft(await context.api().post('rollouts/draft', { ...wish, ...selection, ...settings, by })),
  })
  const { settings, draft } = await ask(settingsOf(args)).catch(async (error: unknown) => {
    if (wish.rollback === null || !isDataNewer(error) || args.has('yes') || !context.isTerminal) throw error
    return ask({ ...settingsOf(args), data: await askForData(context, error) })
  })
  checkDraft(draft, { wish, settings, fleet, by })
  await confirm(context, args.has('yes'), describe(draft), settings.dryRun ? 'Ask these nodes?' : 'Order this?')
  const envelope = await sign('order', draft.payload, key)
  const made = new Fields(await context.api().post('rollouts', { envelope, planText: draft.planText }), 'answer')
  return { id: made.string('id', 100), release: `${draft.order.name}@${draft.order.version}` }
}

interface Drafted {
  readonly settings: Settings
  readonly draft: Draft
}

const isDataNewer = (error: unknown): error is ShoalError => error instanceof ShoalError && error.code === 'DATA_NEWER'

/** Going back over a migration loses something either way: only a person can weigh what. */
const askForData = (context: Context, { message }: ShoalError): Promise<'keep' | 'restore'> =>
  choose(
    context,
    [
      `Going back over a migration: ${oneLine(message.replace(/: --data .*/, ''))}`,
      ...Object.entries(dataWords).map(([word, means]) => `  ${word.padEnd(8)} data ${means}`),
    ],
    'What becomes of the data?',
    ['keep', 'restore'],
  )

function readDraft(value: unknown): Draft {
  const f = new Fields(value, 'draft')
  const names = new Fields(f.raw('names') ?? {}, 'draft.names')
  const planText = f.string('planText', 8 << 20)
  return {
    order: f.get('order', parseOrder),
    payload: f.raw('order'),
    planText,
    plan: parsePlan(parseJson(planText, 'draft.planText', 8 << 20)),
    names: new Map(names.keys().map(id => [id, names.string(id, 64)])),
  }
}

interface Asked {
  readonly wish: Wish
  readonly settings: Settings
  readonly fleet: FleetAnswer
  readonly by: string
}

/** @throws ShoalError BAD_REQUEST, DIGEST_MISMATCH: the node drafted something else than it was asked for */
export function checkDraft({ order, planText }: Pick<Draft, 'order' | 'planText'>, { wish, settings, fleet, by }: Asked): void {
  const digest = sha256(planText)
  if (digest !== order.plan) throw new ShoalError('DIGEST_MISMATCH', `draft: the plan's sha256 is ${digest}, the order says ${order.plan}`)
  const wanted: Record<string, unknown> = { ...settings, fleet: fleet.fleet, by }
  if (wish.rollback !== null && wish.rollback.to === null) {
    // Which release that is, the node finds out; the plan that is shown names it.
  } else if (wish.release === null) wanted['version'] = wish.rollback?.to
  else
    Object.assign(wanted, {
      name: wish.release.slice(0, wish.release.lastIndexOf('@')),
      version: wish.release.slice(wish.release.lastIndexOf('@') + 1),
    })
  // Going back is a downgrade by its nature.
  if (wish.rollback !== null) delete wanted['allowDowngrade']
  const found = new Map<string, unknown>(Object.entries(order))
  for (const [name, want] of Object.entries(wanted)) {
    if (found.get(name) !== want)
      throw new ShoalError('BAD_REQUEST', `draft: ${name} is ${JSON.stringify(found.get(name))}, asked for was ${JSON.stringify(want)}`)
  }
}

const dataWords = {
  keep: 'stays as it is where it is newer than the release; a copy is kept aside',
  restore: 'from before the migration comes back where it is newer than the release; what was written since is kept aside',
} as const

/** The plan for a person who is about to sign it. */
function describe({ order, plan, names }: Draft): readonly string[] {
  const count = plan.waves.reduce((sum, wave) => sum + wave.nodes.length, 0)
  const title = `${order.dryRun ? 'Dry run: ' : ''}${order.name}@${order.version} to ${plural(count, 'node')} in ${plural(plan.waves.length, 'wave')}, by ${order.by}`
  const lines = plan.waves.map((wave, at) => {
    const some = wave.nodes.slice(0, 6).map(id => oneLine(names.get(id) ?? id.slice(0, 8)))
    const more = wave.nodes.length > some.length ? ` and ${wave.nodes.length - some.length} more` : ''
    return `  wave ${at + 1}: ${some.join(', ')}${more} (tolerates ${wave.maxFailed} failed, ${wave.maxMissing} missing)`
  })
  const lost =
    plan.lost.length === 0
      ? []
      : [
          `  not reached or held now, so last: ${plan.lost
            .map(id => oneLine(names.get(id) ?? id.slice(0, 8)))
            .slice(0, 10)
            .join(', ')}`,
        ]
  return [title, ...lines, ...lost, ...(order.data === null ? [] : [`  data     ${dataWords[order.data]}`])]
}
