/**
 * login and logout: for a machine that is no node. The server is known by the fingerprint of its certificate, which is compared before anything
 * is said to it; a key file signs the server's challenge and never leaves this machine.
 */
import type { X509Certificate } from 'node:crypto'
import { Fields, formatAddress, messageOf, parseFleetId, parseNodeId, parseOperatorName, ShoalError } from '../../model/index.ts'
import { answerChallenge } from '../../trust/index.ts'
import { certificateAt } from '../certificate-at.ts'
import { answerOf } from '../client.ts'
import type { Context } from '../context.ts'
import { type Endpoint, exchange, type Reply } from '../exchange.ts'
import { answerDeadlineMs } from '../limits.ts'
import { askSecret, confirm } from '../prompt.ts'
import { addressOfUrl, forgetServer, type Remembered, rememberServer } from '../remembered.ts'
import { findKey, givenPassphrase, signingOptions } from '../signing.ts'
import type { Args, CommandSpec, Outcome } from '../spec.ts'

/** 64 hex digits, as people write fingerprints: with colons, in capitals, with `sha256:` before them. */
const plain = (fingerprint: string): string =>
  fingerprint
    .toLowerCase()
    .replace(/^sha-?256[:=/]/, '')
    .replaceAll(':', '')

/** @throws ShoalError TOKEN_PIN_MISMATCH, USAGE, CANCELLED */
async function mustBeIt(context: Context, args: Args, url: string, cert: X509Certificate): Promise<void> {
  const shown = plain(cert.fingerprint256)
  const wanted = args.text('fingerprint')
  if (wanted !== undefined) {
    if (plain(wanted) !== shown)
      throw new ShoalError('TOKEN_PIN_MISMATCH', `${url}: its certificate is ${shown}, --fingerprint says ${plain(wanted)}`)
    return
  }
  if (!context.isTerminal) throw new ShoalError('USAGE', 'login needs --fingerprint; `shoal status` at the node prints it')
  const plan = [
    `${url} shows a certificate with the SHA-256 fingerprint`,
    `  ${cert.fingerprint256}`,
    '`shoal status` at the node prints the right one.',
  ]
  await confirm(context, false, plan, 'Is it the same?')
}

const ask = (context: Context, endpoint: Endpoint, method: 'GET' | 'POST', path: string, body?: object): Promise<Reply> => {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
  const question = { method, path: `/_shoal/api/v1/${path}`, headers, signal: context.io.signal, deadlineMs: answerDeadlineMs }
  return exchange(endpoint, undefined, text === undefined ? question : { ...question, body: text })
}

/** What opens a session: the signed challenge where there is a key file, else name and passphrase. */
async function proofOf(context: Context, args: Args, endpoint: Endpoint): Promise<object> {
  if (args.text('key') !== undefined) {
    const locked = findKey(context, args)
    const f = new Fields(answerOf(await ask(context, endpoint, 'GET', 'session/challenge')), 'challenge')
    const challenge = f.string('challenge', 200)
    const key = await locked.open()
    return {
      keyid: key.keyid,
      challenge,
      signature: answerChallenge(key, f.get('fleet', parseFleetId), f.get('node', parseNodeId), challenge),
    }
  }
  const name = args.text('operator') ?? context.io.env['SHOAL_OPERATOR']
  if (name === undefined)
    throw new ShoalError('USAGE', 'login needs --key <file>, or --operator <name> at a node that keeps operators’ keys')
  const given = givenPassphrase(context, args)
  if (given === null && !context.isTerminal)
    throw new ShoalError('BAD_PASSPHRASE', `${name}: no passphrase was given, and there is no terminal to ask at`)
  return { name: parseOperatorName(name), passphrase: given ?? (await askSecret(context.io, `Passphrase of ${name}: `)) }
}

async function login(context: Context, args: Args): Promise<Outcome> {
  const address = addressOfUrl(args.need(0, 'url'))
  const url = `https://${formatAddress(address)}`
  const cert = await certificateAt(address, context.io.signal)
  await mustBeIt(context, args, url, cert)
  const pem = cert.toString()
  const endpoint = { address, serverName: '', ca: pem, fingerprint: cert.fingerprint256 }
  const reply = await ask(context, endpoint, 'POST', 'session', await proofOf(context, args, endpoint))
  const f = new Fields(answerOf(reply), 'session')
  const cookie = /^__Host-shoal=([\w-]{43});/.exec((reply.headers['set-cookie'] ?? [])[0] ?? '')?.[1]
  if (cookie === undefined) throw new ShoalError('INTERNAL', `${url}: gave no session`)
  const key = args.text('key')
  const server: Remembered = {
    url,
    cert: pem,
    cookie,
    csrf: f.string('csrf', 200),
    name: f.string('name', 64),
    key: key === undefined ? null : context.path(key),
  }
  await rememberServer(context.io, server)
  const [role, expiresAt] = [f.string('role', 20), f.string('expiresAt', 40)]
  return {
    document: { server: url, name: server.name, role, expiresAt, fingerprint: plain(cert.fingerprint256) },
    text: [`${server.name} (${role}) at ${url} until ${expiresAt}`, ...(key === undefined ? ['to sign, commands need --key <file>'] : [])],
  }
}

async function logout(context: Context): Promise<Outcome> {
  const server = context.remembered
  if (server === null) throw new ShoalError('NOT_FOUND', 'nobody is logged in anywhere')
  // A session that is over already, or a server that is gone, is forgotten all the same.
  await context
    .api()
    .remove('session')
    .catch((error: unknown) => context.note(`the server was not told: ${messageOf(error)}`))
  await forgetServer(context.io, server.url)
  return { document: { server: server.url, state: 'logged out' }, text: [`logged out of ${server.url}`] }
}

export const loginCommands: readonly CommandSpec[] = [
  {
    path: 'login',
    args: '<url>',
    about: 'remember a node, for a machine that is none; --key or --operator says who you are',
    options: [{ flags: '--fingerprint <sha256>', about: 'of the server’s certificate (`shoal status` there)' }, ...signingOptions],
    run: login,
  },
  { path: 'logout', about: 'end the session and forget the server', run: logout },
]
