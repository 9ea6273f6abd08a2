/** People and keys: operators list, add, remove, export; keys rotate, kit. Each change is the next version of the root, signed by an admin. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asOneOf, type Code, parseOperatorName, ShoalError } from '../../model/index.ts'
import { standingDocuments } from '../../rollout/index.ts'
import { removeTree, renameDurable, writeDurable } from '../../slots/index.ts'
import { FactReader } from '../../store/index.ts'
import {
  newOperatorKey,
  newPassphrase,
  nextRootText,
  type OperatorKey,
  type RootChange,
  roles,
  spareAdminsOf,
  trustChain,
  trustNextRoot,
  type TrustedRoot,
} from '../../trust/index.ts'
import { fleetAtHome, makeKit, readHomeFile } from '../home/index.ts'
import { parseFleet } from '../answers.ts'
import type { Context } from '../context.ts'
import { table } from '../output.ts'
import { confirm } from '../prompt.ts'
import { findKey, type LockedKey, signingOptions, yesOption } from '../signing.ts'
import { type Args, asUsage, type CommandSpec, type Outcome } from '../spec.ts'

/** ms that reading waits for a writer. */
const patienceMs = 5000

/** What this home's node.db has, beside the node that has it open. @throws ShoalError DB_LOCKED, DB_DAMAGED */
function fromDb<T>(context: Context, read: (db: FactReader) => T): T {
  const db = FactReader.open(context.paths.db, patienceMs)
  try {
    return read(db)
  } finally {
    db.close()
  }
}

/** The root that the node trusts, verified here along its whole chain from the fleet's id. @throws ShoalError BAD_ROOT, CONFLICT */
async function trustedRoot(context: Context): Promise<TrustedRoot> {
  const { root: newest } = parseFleet(await context.api().get('fleet'))
  const texts = fromDb(context, db => db.factsOf('root').map(fact => fact.body))
  const root = trustChain(texts, fleetAtHome(context.paths))
  if (root.text !== newest) throw new ShoalError('CONFLICT', `node.db has root ${root.version}, the node has a newer one`)
  return root
}

/** Who changes the root, and the root. @throws ShoalError NOT_ALLOWED if the key is no admin's: before anything is asked or written */
async function adminAndRoot(context: Context, args: Args): Promise<{ readonly key: LockedKey; readonly root: TrustedRoot }> {
  const key = findKey(context, args)
  const root = await trustedRoot(context)
  const admins = [...root.people.filter(p => p.role === 'admin'), ...spareAdminsOf(root)]
  if (!admins.some(each => each.keyid === key.keyid))
    throw new ShoalError(
      'NOT_ALLOWED',
      `${key.name} is no admin of fleet ${root.fleetName}${existsSync(`${key.path}.new`) ? `; ${key.path}.new may hold the newer key` : ''}`,
    )
  return { key, root }
}

/** Signs the next root and hands it in. */
async function nextRoot(context: Context, key: LockedKey, root: TrustedRoot, change: RootChange, next?: OperatorKey): Promise<void> {
  // By an admin of the root before, and by one of its own: a person's own new key is the second.
  const text = nextRootText(root, change, [await key.open(), ...(next === undefined ? [] : [next])])
  trustNextRoot(text, root)
  await context.api().post('root', { root: text })
}

/** After these nobody knows whether the fleet took the root: an answer may have been lost. */
const doubtful: ReadonlySet<string> = new Set<Code>(['NO_NODE', 'STARTING', 'BUSY', 'INTERNAL', 'DISK_FULL', 'DB_LOCKED', 'CANCELLED'])

/** Hands in a root that names a new key, whose file is written already: it goes only if the root was refused for sure. */
async function withKeyFile(context: Context, file: string, passphrase: string | null, handIn: () => Promise<void>): Promise<void> {
  try {
    await handIn()
  } catch (error) {
    if (error instanceof ShoalError && !doubtful.has(error.code)) await removeTree(file)
    else {
      const secret = passphrase === null ? '' : `, its passphrase is ${passphrase}`
      context.note(`it is not known whether the fleet took it (\`shoal operators\`); the key is in ${file}${secret}`)
    }
    throw error
  }
}

/** Operators' keys are kept on console nodes alone. */
const isConsoleNode = (context: Context): boolean => fromDb(context, db => db.remembered('console') === 'true')

const keptFile = (context: Context, name: string): string => join(context.paths.operators, `${name}.json`)

/** Where a person's new key goes. @throws ShoalError USAGE: it may not stay at this node */
function fileForNew(context: Context, args: Args, command: string, name: string): string {
  const out = args.text('out')
  if (out !== undefined) return context.path(out)
  if (isConsoleNode(context)) return keptFile(context, name)
  throw new ShoalError('USAGE', `this is no console node, so no operator’s key is kept here: ${command} ${name} --out <file>`)
}

const mustBeNew = (file: string): void => {
  if (existsSync(file)) throw new ShoalError('CONFLICT', `${file}: there is such a file already`)
}

/** Where a person's next key goes: it replaces the old one at its place, and no other file. @throws ShoalError USAGE, CONFLICT */
function fileForNext(context: Context, args: Args, name: string): string {
  const file = fileForNew(context, args, 'keys rotate', name)
  if (file !== keptFile(context, name)) mustBeNew(file)
  return file
}

async function list(context: Context): Promise<Outcome> {
  const { people } = parseFleet(await context.api().get('fleet'))
  const rows = people.map(p => [p.name, p.role, p.keyid.slice(0, 16), existsSync(keptFile(context, p.name)) ? 'key at home' : ''])
  return {
    document: { operators: people, counts: { total: people.length }, next: null },
    text: table(['name', 'role', 'key', ''], rows, context.width),
  }
}

async function add(context: Context, args: Args): Promise<Outcome> {
  const name = asUsage(() => parseOperatorName(args.need(0, 'name'), 'name'))
  if (args.text('role') === undefined) throw new ShoalError('USAGE', `operators add needs --role ${roles.join('|')}`)
  const role = args.read('role', (v, w) => asOneOf(v, w, roles), 'viewer')
  const { key, root } = await adminAndRoot(context, args)
  if (root.people.some(p => p.name === name)) throw new ShoalError('CONFLICT', `there is an operator ${name} already`)
  const file = fileForNew(context, args, 'operators add', name)
  mustBeNew(file)
  await confirm(context, args.has('yes'), [`Adds ${name} as ${role} to fleet ${root.fleetName}.`], 'Add?')
  const passphrase = newPassphrase()
  const made = newOperatorKey(name, passphrase)
  const { keyid, publicHex } = made.key
  await writeDurable(file, made.file, 0o600)
  const people = [...root.people, { name, role, keyid, publicHex }]
  await withKeyFile(context, file, passphrase, () => nextRoot(context, key, root, { people }))
  return {
    document: { name, role, keyid, passphrase },
    text: [`${name} is ${role}; the key is in ${file}`, `passphrase, shown once: ${passphrase}`],
  }
}

/** What stands of a person's documents, as this node knows it. */
const standing = (context: Context, keyid: string): TrustedRoot['retired'][number]['keeps'] =>
  fromDb(context, db => standingDocuments(db.facts(), keyid))

async function remove(context: Context, args: Args): Promise<Outcome> {
  const name = args.need(0, 'name')
  const { key, root } = await adminAndRoot(context, args)
  const people = root.people.filter(p => p.name !== name)
  if (people.length === root.people.length)
    throw new ShoalError('NOT_FOUND', `there is no operator ${name}; there are ${root.people.map(p => p.name).join(', ')}`)
  if (!people.some(p => p.role === 'admin')) throw new ShoalError('LAST_ADMIN', `${name} is the last admin of fleet ${root.fleetName}`)
  await confirm(context, args.has('yes'), [`Removes ${name} from fleet ${root.fleetName}: what ${name} signs counts no more.`], 'Remove?')
  const { generation } = parseFleet(await context.api().get('fleet'))
  const gone = root.people.filter(p => p.name === name).map(p => ({ ...p, until: generation, keeps: standing(context, p.keyid) }))
  await nextRoot(context, key, root, { people, retired: [...root.retired, ...gone] })
  for (const file of [keptFile(context, name), `${keptFile(context, name)}.new`]) await removeTree(file)
  return { document: { name }, text: [`${name} is no operator any more`] }
}

async function exportKey(context: Context, args: Args): Promise<Outcome> {
  const name = asUsage(() => parseOperatorName(args.need(0, 'name'), 'name'))
  const out = args.text('out')
  if (out === undefined) throw new ShoalError('USAGE', 'operators export needs --out <file>')
  const source = keptFile(context, name)
  const target = context.path(out)
  if (!existsSync(source)) throw new ShoalError('NOT_FOUND', `${source}: no key of ${name} is kept here`)
  mustBeNew(target)
  await writeDurable(target, readFileSync(source), 0o600)
  return { document: { name, file: target }, text: [`${target}: the key of ${name}, still encrypted under the passphrase`] }
}

async function kit(context: Context, args: Args): Promise<Outcome> {
  const out = context.path(args.text('out') ?? context.paths.recoveryKit)
  if (!existsSync(context.paths.caKey))
    throw new ShoalError('NOT_ALLOWED', `${context.paths.caKey}: is not here; make the kit at a node that lets others in`)
  const { key, root } = await adminAndRoot(context, args)
  const beside = `${out}.new`
  // At its own place the next one replaces the last, also one that was left half done.
  if (out !== context.paths.recoveryKit) for (const file of [out, beside]) mustBeNew(file)
  await confirm(context, args.has('yes'), ['Makes a new recovery kit; every earlier one loses its force.'], 'Make it?')
  const made = makeKit(readHomeFile(context.paths.caKey))
  await writeDurable(beside, made.file, 0o600)
  const spareAdmins = [{ keyid: made.key.keyid, publicHex: made.key.publicHex }]
  await withKeyFile(context, beside, made.passphrase, () => nextRoot(context, key, root, { spareAdmins }))
  await renameDurable(beside, out)
  return {
    document: { file: out, passphrase: made.passphrase },
    text: [`${out}: the new recovery kit; keep a copy away from this machine`, `passphrase, shown once: ${made.passphrase}`],
  }
}

/**
 * A new key for a person. The old one signs nothing more, but what stands of it stands. One's own new key keeps its passphrase: it is known
 * to whoever signs here, so nothing is lost if the command dies in between. The new key file stands beside the old one until the root names it.
 */
async function rotate(context: Context, args: Args): Promise<Outcome> {
  const { key, root } = await adminAndRoot(context, args)
  const person = root.people.find(p => p.name === (args.word(0) ?? key.name))
  if (person === undefined)
    throw new ShoalError(
      'NOT_FOUND',
      `there is no operator ${args.word(0) ?? key.name}; there are ${root.people.map(p => p.name).join(', ')}`,
    )
  const isOwn = person.keyid === key.keyid
  const file = isOwn ? key.path : fileForNext(context, args, person.name)
  const beside = `${file}.new`
  if (existsSync(beside))
    throw new ShoalError(
      'CONFLICT',
      `${beside}: a new key was being made here, and may be the one that counts (\`shoal operators\` shows its id); move it away to make another`,
    )
  const plan = `Makes a new key for ${person.name} of fleet ${root.fleetName}: copies of the old key file sign nothing more, what it signed stands.`
  await confirm(context, args.has('yes'), [plan], 'Make it?')
  const passphrase = isOwn ? await key.passphrase() : newPassphrase()
  const made = newOperatorKey(person.name, passphrase)
  const { keyid, publicHex } = made.key
  const { generation } = parseFleet(await context.api().get('fleet'))
  const old = {
    name: person.name,
    keyid: person.keyid,
    publicHex: person.publicHex,
    until: generation,
    keeps: standing(context, person.keyid),
  }
  const people = root.people.map(p => (p.name === person.name ? { ...p, keyid, publicHex } : p))
  await writeDurable(beside, made.file, 0o600)
  const change = { people, retired: [...root.retired, old] }
  await withKeyFile(context, beside, isOwn ? null : passphrase, () => nextRoot(context, key, root, change, isOwn ? made.key : undefined))
  await renameDurable(beside, file)
  return {
    document: { name: person.name, role: person.role, keyid, file, passphrase: isOwn ? null : passphrase },
    text: [
      `${file}: the new key of ${person.name}`,
      isOwn ? 'its passphrase is the one you have' : `passphrase, shown once: ${passphrase}`,
    ],
  }
}

const signing = [...signingOptions, yesOption]

export const peopleCommands: readonly CommandSpec[] = [
  { path: 'operators list', about: 'who may do what', isDefault: true, run: list },
  {
    path: 'operators add',
    args: '<name>',
    about: 'a new person; shows the passphrase once',
    options: [
      { flags: '--role <role>', about: 'viewer, operator or admin', values: roles },
      { flags: '--out <file>', about: 'where the key goes (needed but on console nodes)' },
      ...signing,
    ],
    run: add,
  },
  { path: 'operators remove', args: '<name>', about: 'take a person out', options: signing, run: remove },
  {
    path: 'operators export',
    args: '<name>',
    about: 'copy a person’s encrypted key file',
    options: [{ flags: '--out <file>', about: 'where to' }],
    run: exportKey,
  },
  {
    path: 'keys rotate',
    args: '[name]',
    about: 'make a new key for yourself, or for another person; what the old one signed stands',
    options: [{ flags: '--out <file>', about: 'where another person’s goes, at a node that keeps no operators’ keys' }, ...signing],
    run: rotate,
  },
  {
    path: 'keys kit',
    about: 'make a new recovery kit',
    options: [{ flags: '--out <file>', about: 'where to (default certs/recovery-kit.json)' }, ...signing],
    run: kit,
  },
]
