/**
 * Who signs, and with what. The key file says whose it is; it is opened only when there is something to sign, and the key never leaves this
 * process: the node is given envelopes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DocumentKind,
  type Envelope,
  Fields,
  type KeyId,
  messageOf,
  parseJson,
  parseKeyId,
  parseOperatorName,
  ShoalError,
  systemCodeOf,
} from '../model/index.ts'
import { openOperatorKey, type OperatorKey, signDocument } from '../trust/index.ts'
import type { FleetAnswer, PersonAnswer } from './answers.ts'
import type { Context } from './context.ts'
import { maxInputChars } from './limits.ts'
import { askSecret } from './prompt.ts'
import type { Args, OptionSpec } from './spec.ts'

export const signingOptions: readonly OptionSpec[] = [
  { flags: '--operator <name>', about: 'who signs (else SHOAL_OPERATOR, else the only one there is)' },
  { flags: '--key <file>', about: 'the key file to sign with' },
  { flags: '--passphrase-file <file>', about: 'a file that holds the passphrase (else SHOAL_PASSPHRASE, else a prompt)' },
]

export const yesOption: OptionSpec = { flags: '-y, --yes', about: 'do not ask' }

/** A key file that was found, still locked. */
export interface LockedKey {
  readonly name: string
  readonly keyid: KeyId
  readonly open: () => Promise<OperatorKey>
  /** What opens it; asked for once. @throws ShoalError BAD_PASSPHRASE */
  readonly passphrase: () => Promise<string>
  readonly path: string
}

/** @throws ShoalError NO_OPERATOR_KEY */
export function findKey(context: Context, args: Args): LockedKey {
  const given = args.text('key')
  const path = given === undefined ? (context.remembered?.key ?? keyAtHome(context, args)) : context.path(given)
  const text = readOrRefuse(path)
  const f = new Fields(parseJson(text, path, 20_000), path)
  let opened: Promise<OperatorKey> | null = null
  let asked: Promise<string> | null = null
  const passphrase = (): Promise<string> => (asked ??= passphraseFor(context, args, path))
  const open = async (): Promise<OperatorKey> => openOperatorKey(text, await passphrase(), path)
  return { name: f.get('name', parseOperatorName), keyid: f.get('keyid', parseKeyId), open: () => (opened ??= open()), passphrase, path }
}

function readOrRefuse(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ShoalError('NO_OPERATOR_KEY', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
}

function keyAtHome(context: Context, args: Args): string {
  const folder = context.paths.operators
  if (!existsSync(folder) && context.remembered === null) context.requireNode()
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter(name => name.endsWith('.json'))
        .map(name => name.slice(0, -5))
    : []
  const wanted = args.text('operator') ?? context.io.env['SHOAL_OPERATOR']
  if (wanted !== undefined && names.includes(wanted)) return join(folder, `${wanted}.json`)
  if (wanted !== undefined)
    throw new ShoalError('NO_OPERATOR_KEY', `${folder}: has no key of ${wanted}${names.length > 0 ? `, only ${names.join(', ')}` : ''}`)
  const [only] = names
  if (only === undefined || names.length > 1)
    throw new ShoalError(
      'NO_OPERATOR_KEY',
      `${folder}: has ${names.length === 0 ? 'no operator’s key' : `several operators’ keys: ${names.join(', ')}`}`,
    )
  return join(folder, `${only}.json`)
}

/** The passphrase that was given by file or environment; null: none was. */
export function givenPassphrase(context: Context, args: Args): string | null {
  const file = args.text('passphraseFile')
  if (file !== undefined) return readPassphraseFile(context.path(file))
  const text = context.io.env['SHOAL_PASSPHRASE']
  return text === undefined || text === '' ? null : text
}

/** The first line, or the line `passphrase: …`, so that first-operator.txt itself will do. @throws ShoalError BAD_PASSPHRASE */
function readPassphraseFile(path: string): string {
  let text = ''
  try {
    text = readFileSync(path, 'utf8').slice(0, maxInputChars)
  } catch (cause) {
    throw new ShoalError('BAD_PASSPHRASE', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
  const lines = text.split(/\r?\n/)
  const named = lines.map(line => /^passphrase:\s*(.+?)\s*$/.exec(line)?.[1]).find(found => found !== undefined)
  const found = named ?? (lines.some(line => /^operator:/.test(line)) ? '' : lines[0]?.trim())
  if (found === undefined || found === '') throw new ShoalError('BAD_PASSPHRASE', `${path}: holds no passphrase`)
  return found
}

async function passphraseFor(context: Context, args: Args, path: string): Promise<string> {
  const given = givenPassphrase(context, args)
  if (given !== null) return given
  if (!context.isTerminal)
    throw new ShoalError(
      'BAD_PASSPHRASE',
      `${path}: no passphrase was given, and there is no terminal to ask at (--passphrase-file, SHOAL_PASSPHRASE)`,
    )
  return askSecret(context.io, `Passphrase for ${path}: `)
}

/** The person of the fleet that a key file belongs to. @throws ShoalError NOT_ALLOWED if the root does not name its key */
export function personOf(key: LockedKey, fleet: FleetAnswer): PersonAnswer {
  const person = fleet.people.find(each => each.keyid === key.keyid)
  if (person === undefined)
    throw new ShoalError('NOT_ALLOWED', `the key of ${key.name} (${key.keyid.slice(0, 8)}…) belongs to no person of fleet ${fleet.name}`)
  if (person.role === 'viewer') throw new ShoalError('NOT_ALLOWED', `${person.name} is a viewer; signing takes an operator or admin`)
  return person
}

export async function sign(kind: DocumentKind, payload: unknown, key: LockedKey): Promise<Envelope> {
  return signDocument(kind, payload, [await key.open()])
}
