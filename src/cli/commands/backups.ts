/**
 * Backups of the node at home: by the node while it runs, since its app writes to data/; directly while it is stopped. An identity comes back only
 * into a node that is stopped, and only if that is said.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { asString, codeFrom, Fields, ShoalError } from '../../model/index.ts'
import { parseBackups, type BackupAnswer } from '../answers.ts'
import { stoppedBackups } from '../home/index.ts'
import type { Context } from '../context.ts'
import { pollMs } from '../limits.ts'
import { bytesText, oneLine, plural, table } from '../output.ts'
import { confirm } from '../prompt.ts'
import { yesOption } from '../signing.ts'
import type { Args, CommandSpec, Outcome } from '../spec.ts'

const isRunning = async (context: Context): Promise<boolean> => {
  context.requireNode()
  return (await context.api().probe('livez')) !== null
}

const idOf = (document: unknown): string => new Fields(document, 'answer').string('id', 255)

/** Looks until the node has done what it began. @throws ShoalError with the node's reason */
async function untilDone(context: Context, id: string): Promise<unknown> {
  for (;;) {
    const document = await context.api().get(`backups/${encodeURIComponent(id)}`)
    const f = new Fields(document, 'backup')
    const state = f.string('state', 40)
    if (state === 'failed' || state === 'damaged') {
      const reason = f.has('reason') ? new Fields(f.raw('reason'), 'reason') : null
      const code = asString(reason?.raw('code') ?? 'INTERNAL', 'reason.code', 64)
      throw new ShoalError(codeFrom(code), asString(reason?.raw('message') ?? state, 'reason.message'))
    }
    if (state === 'ready') return document
    await wait(pollMs, undefined, { signal: context.io.signal })
  }
}

/** A worker that takes over knows nothing of what the one before has not ended. */
async function made(context: Context): Promise<unknown> {
  try {
    return await untilDone(context, idOf(await context.api().post('backups')))
  } catch (cause) {
    if (!(cause instanceof ShoalError) || cause.code !== 'NOT_FOUND') throw cause
    throw new ShoalError('CANCELLED', 'the node changed over while the backup was being made: make it again', { cause })
  }
}

async function create(context: Context): Promise<Outcome> {
  const document = (await isRunning(context)) ? await made(context) : await stoppedBackups(context.paths).create()
  const { id, files, bytes } = new Fields(document, 'backup').get('id', () => parseOne(document))
  return { document, text: [`backup ${id}: ${plural(files ?? 0, 'file')}, ${bytesText(bytes)}`] }
}

const parseOne = (document: unknown): BackupAnswer => {
  const [one] = parseBackups({ backups: [document] })
  if (one === undefined) throw new ShoalError('INTERNAL', 'the answer has no backup')
  return one
}

async function list(context: Context): Promise<Outcome> {
  const document = (await isRunning(context))
    ? await context.api().getAll('backups', 'backups')
    : await stoppedBackups(context.paths).list()
  const rows = parseBackups(document).map(b => [
    b.id,
    b.kind,
    b.at.slice(0, 19),
    oneLine(b.app ?? ''),
    b.dataVersion === null ? '' : String(b.dataVersion),
    bytesText(b.bytes),
    `${b.isOwn ? '' : `of node ${b.node.slice(0, 8)} `}${b.state === 'ready' ? '' : b.state}`.trim(),
  ])
  const text =
    rows.length === 0
      ? ['nothing is kept yet; `shoal backup create` makes a backup']
      : table(['id', 'kind', 'at', 'app', 'data', 'size', ''], rows, context.width)
  return { document, text }
}

async function verify(context: Context, args: Args): Promise<Outcome> {
  const id = args.need(0, 'backup')
  const document = (await isRunning(context))
    ? await untilDone(context, idOf(await context.api().post(`backups/${encodeURIComponent(id)}/verify`)))
    : await stoppedBackups(context.paths).verify(id)
  return { document, text: [`${parseOne(document).id} is whole: every file is as it was`] }
}

async function restore(context: Context, args: Args): Promise<Outcome> {
  const id = args.need(0, 'backup')
  const identity = args.has('identity')
  const running = await isRunning(context)
  if (running && identity) {
    throw new ShoalError(
      'ALREADY_RUNNING',
      `${context.paths.home}: its node runs; an identity is restored while it is stopped (\`shoal stop\`)`,
    )
  }
  const whose = identity ? ' and the identity in it' : ''
  const plan = [`data/ and config.json become those of ${id}${whose}; what is there now is kept in instance/backups.`]
  await confirm(context, args.has('yes'), plan, 'Restore it?')
  const document = running
    ? await untilDone(context, idOf(await context.api().post(`backups/${encodeURIComponent(id)}/restore`)))
    : await stoppedBackups(context.paths).restore(id, identity)
  const next = running ? ['settings that differ count after `shoal restart`'] : ['next: shoal start']
  return { document, text: [`restored ${parseOne(document).id}`, ...next] }
}

export const backupCommands: readonly CommandSpec[] = [
  { path: 'backup create', about: 'copy data/ and config.json, with a hash of every file; the app runs on', run: create },
  { path: 'backup list', about: 'backups, snapshots of migrations, and what was kept aside', isDefault: true, run: list },
  { path: 'backup verify', args: '<id>', about: 'read every file of a backup again and compare', run: verify },
  {
    path: 'backup restore',
    args: '<id>',
    about: 'bring data/ and config.json back; what was there is kept',
    options: [{ flags: '--identity', about: "also the node's key and certificate in it; the node must be stopped" }, yesOption],
    run: restore,
  },
]
