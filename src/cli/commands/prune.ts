/**
 * prune: what lies on the disk of the node at home, why, and what nobody needs removed; the same whether the node runs or not. What somebody
 * made goes only if that is said.
 */
import { runningSupervisor } from '../../slots/index.ts'
import type { Context } from '../context.ts'
import { type DiskAnswer, parseDisk, parsePruned, type PrunedAnswer } from '../disk-answers.ts'
import { withStoppedDisk } from '../home/index.ts'
import { bytesText, oneLine, plural, table } from '../output.ts'
import { confirm } from '../prompt.ts'
import { yesOption } from '../signing.ts'
import { type Args, type CommandSpec, durationWithin, type Outcome } from '../spec.ts'

interface Wish {
  readonly all: boolean
  readonly logs: boolean
  readonly backupsOlderMs: number | null
}

async function run(context: Context, args: Args): Promise<Outcome> {
  const wish = {
    all: args.has('all'),
    logs: args.has('logs'),
    backupsOlderMs: args.read('backupsOlder', durationWithin('0s', '36500d'), null),
  }
  const isDryRun = args.has('dryRun')
  if (!isDryRun) await confirmLoss(context, args, wish)
  const document = await answered(context, wish, isDryRun)
  return { document, text: isDryRun ? planOf(context, parseDisk(document)) : doneOf(context, parsePruned(document)) }
}

/** What cannot be had again is said first. */
async function confirmLoss(context: Context, args: Args, { all, backupsOlderMs }: Wish): Promise<void> {
  const losses = [
    ...(backupsOlderMs === null ? [] : [`Backups older than ${args.text('backupsOlder') ?? ''} go for good; the newest stays.`]),
    ...(all ? ['Packages that nobody ordered yet go too, also where no other node has them; so do databases that were put aside.'] : []),
  ]
  if (losses.length > 0) await confirm(context, args.has('yes'), losses, 'Remove them?')
}

async function answered(context: Context, wish: Wish, dryRun: boolean): Promise<unknown> {
  if (context.remembered === null) context.requireNode()
  if (context.remembered !== null || (await runningSupervisor(context.paths)) !== null)
    return context.api().post('disk/prune', { ...wish, dryRun })
  return withStoppedDisk(context.paths, context.io.signal, async disk =>
    dryRun ? { ...(await disk.survey(wish)), removed: [], removedBytes: 0, failed: [] } : disk.prune(wish),
  )
}

const words: Readonly<Record<string, string>> = { kept: 'kept aside' }

const limitText = ({ packageLimitBytes }: DiskAnswer): string =>
  packageLimitBytes === 0 ? '' : `; packages may take ${bytesText(packageLimitBytes)}`

function totals(context: Context, disk: DiskAnswer): readonly string[] {
  const rows = disk.totals
    .filter(({ count, bytes }) => count > 0 && bytes > 0)
    .map(({ kind, count, bytes, reclaimable }) => [words[kind] ?? kind, String(count), bytesText(bytes), bytesText(reclaimable)])
  const free = `${bytesText(disk.freeBytes)} are free, ${bytesText(disk.reserveBytes)} are kept in reserve${limitText(disk)}`
  return [...table(['what', 'count', 'size', 'can go'], rows, context.width), free]
}

function planOf(context: Context, disk: DiskAnswer): readonly string[] {
  const going = disk.items.filter(item => item.needs.length === 0 && item.bytes > 0)
  const rows = disk.items
    .filter(item => item.bytes > 0)
    .map(({ kind, id, name, bytes, needs }) => [
      words[kind] ?? kind,
      id.length === 64 ? id.slice(0, 12) : oneLine(id),
      oneLine(name),
      bytesText(bytes),
      needs.length === 0 ? 'can go' : needs.join(', '),
    ])
  const sum = going.reduce((bytes, item) => bytes + item.bytes, 0)
  const verdict = going.length === 0 ? 'nothing can go' : `${plural(going.length, 'thing')} can go, ${bytesText(sum)}: shoal prune`
  return [...table(['what', 'id', 'name', 'size', 'why it stays'], rows, context.width), '', ...totals(context, disk), verdict]
}

function doneOf(context: Context, pruned: PrunedAnswer): readonly string[] {
  const { removed, removedBytes, failed } = pruned
  return [
    ...removed.map(
      ({ kind, id, name, bytes }) => `removed ${words[kind] ?? kind} ${oneLine(name === '' ? id : name)}, ${bytesText(bytes)}`,
    ),
    ...failed.map(({ id, message }) => `could not remove ${oneLine(id)}: ${oneLine(message)}`),
    ...(removed.length > 0 ? [''] : []),
    ...totals(context, pruned),
    removed.length === 0
      ? 'nothing was there that nothing needs'
      : `${plural(removed.length, 'thing')} removed, ${bytesText(removedBytes)}`,
  ]
}

export const pruneCommands: readonly CommandSpec[] = [
  {
    path: 'prune',
    about: 'remove from the disk of the node at home what nothing needs; --dry-run shows what lies there and why',
    options: [
      { flags: '--dry-run', about: 'remove nothing: show every thing, its size, and why it stays' },
      { flags: '--all', about: 'also the only copy of releases that nobody ordered, damaged databases put aside, and caches' },
      { flags: '--backups-older <time>', about: 'also backups older than that, such as 90d; the newest stays' },
      { flags: '--logs', about: 'also older log files' },
      yesOption,
    ],
    run,
  },
]
