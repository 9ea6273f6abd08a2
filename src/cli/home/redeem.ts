/**
 * Redeems a token: finds the one node that may, proves by the token's pin that it is it before a word is said, then sends the new node's
 * name and its proof. What comes back is judged here as every fact is: the root's chain, the certificate, the membership.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { FleetView, fleetJudge, Registers, rootFact } from '../../facts/index.ts'
import {
  asBoolean,
  type Fact,
  Fields,
  maxRootText,
  messageOf,
  type NodeId,
  parseAddress,
  parseFact,
  parseNodeId,
  ShoalError,
  systemCodeOf,
} from '../../model/index.ts'
import {
  type NodeKey,
  nodeOfCertificate,
  pinOf,
  proveKey,
  proveToken,
  serverNameOf,
  sha256,
  type Token,
  trustFirstRoot,
  trustNextRoot,
  type TrustedRoot,
} from '../../trust/index.ts'
import { answerOf } from '../client.ts'
import { type Endpoint, exchange } from '../exchange.ts'
import { answerDeadlineMs, dialDeadlineMs } from '../limits.ts'

/** Certificates of a served chain that are looked at; a node serves two. */
const maxChain = 4

export interface Redeemed {
  readonly node: NodeKey
  readonly root: TrustedRoot
  readonly ca: string
  readonly cert: string
  readonly caKey: string | null
  readonly console: boolean
  readonly facts: readonly Fact[]
  readonly redeemer: { readonly id: NodeId; readonly address: string }
}

/**
 * @param keyOf gives the node's key, durably; asked for once it is sure who will hear of it
 * @throws ShoalError JOIN_UNREACHABLE, TOKEN_PIN_MISMATCH, TOKEN_USED, TOKEN_EXPIRED, OTHER_FLEET, BAD_ROOT, BAD_SIGNATURE …
 */
export async function redeem(
  token: Token,
  keyOf: () => Promise<NodeKey>,
  self: { readonly name: string; readonly addresses: readonly string[] },
  signal: AbortSignal,
): Promise<Redeemed> {
  const endpoint = await findRedeemer(token, signal)
  const node = await keyOf()
  const proofs = { proof: proveToken(token, node.id), claim: proveKey(token, node) }
  const text = JSON.stringify({ invite: token.invite, node: node.id, spki: node.spki, ...proofs, ...self })
  const reply = await exchange(endpoint, undefined, {
    method: 'POST',
    path: '/_shoal/join',
    headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) },
    body: text,
    signal,
    deadlineMs: answerDeadlineMs,
  })
  return judgeAnswer(answerOf(reply), token, node, endpoint.ca)
}

/** The first of the token's addresses where the pinned CA is shown. */
async function findRedeemer(token: Token, signal: AbortSignal): Promise<Endpoint> {
  const problems: string[] = []
  let isForeign = false
  for (const text of token.addresses) {
    const address = parseAddress(text, 'token')
    const serverName = serverNameOf(token.redeemer, token.fleet)
    try {
      const ca = await pinnedCa(address, serverName, token, signal)
      if (ca !== null) return { address, serverName, ca }
      isForeign = true
      problems.push(`${text} shows no CA with the pin ${token.ca.slice(0, 16)}…`)
    } catch (error) {
      signal.throwIfAborted()
      problems.push(`${text}: ${systemCodeOf(error) ?? messageOf(error)}`)
    }
  }
  throw new ShoalError(
    isForeign ? 'TOKEN_PIN_MISMATCH' : 'JOIN_UNREACHABLE',
    `node ${token.redeemer.slice(0, 8)}: ${problems.join(', ') || 'the token has no address'}`,
  )
}

/** Looks at the chain that is served, says nothing, and hangs up. null: the pinned CA is not in it. */
async function pinnedCa(address: Endpoint['address'], servername: string, token: Token, signal: AbortSignal): Promise<string | null> {
  // The chain is compared with the pin below; nothing is sent on this connection.
  const socket = connect({ host: address.host, port: address.port, servername, rejectUnauthorized: false, minVersion: 'TLSv1.2' })
  try {
    await secured(socket, AbortSignal.any([signal, AbortSignal.timeout(dialDeadlineMs)]))
    const raw = chainOf(socket.getPeerCertificate(true)).find(der => sha256(der) === token.ca)
    return raw === undefined ? null : new X509Certificate(raw).toString()
  } finally {
    socket.destroy()
  }
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new ShoalError('JOIN_UNREACHABLE', `no answer within ${dialDeadlineMs / 1000} s`))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    socket.on('error', reject)
  })
}

function chainOf(leaf: DetailedPeerCertificate): readonly Buffer[] {
  const chain: Buffer[] = []
  // A root is its own issuer; where the chain is not whole there is none, whatever the type says.
  let at: Partial<DetailedPeerCertificate> | undefined = leaf
  while (at?.raw !== undefined && chain.length < maxChain) {
    chain.push(at.raw)
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate
  }
  return chain
}

/** Believes nothing of the answer but what the token's pins and signatures prove. */
function judgeAnswer(value: unknown, token: Token, node: NodeKey, ca: string): Redeemed {
  const f = new Fields(value, 'answer')
  const roots = rootsOf(
    f.list('roots', (v, w) => new Fields({ text: v }, w).string('text', maxRootText), 10_000),
    token,
  )
  const root = roots.at(-1)
  if (root?.caPin !== token.ca) throw new ShoalError('BAD_ROOT', `the root pins the CA ${root?.caPin ?? ''}, the token ${token.ca}`)
  const cert = f.string('cert', 10_000)
  checkCertificate(cert, ca, node, root)
  const facts = acceptedFacts(roots, f.list('facts', parseFact, 100_000), node)
  const redeemer = new Fields(f.raw('redeemer'), 'answer.redeemer')
  return {
    node,
    root,
    ca,
    cert,
    caKey: f.maybe('caKey', (v, w) => caKeyFor(ca, new Fields({ pem: v }, w).string('pem', 10_000)), null),
    console: f.maybe('console', asBoolean, false),
    facts,
    redeemer: { id: redeemer.get('id', parseNodeId), address: redeemer.string('address', 300) },
  }
}

function rootsOf(texts: readonly string[], token: Token): readonly TrustedRoot[] {
  const chain: TrustedRoot[] = []
  for (const text of texts) {
    const last = chain.at(-1)
    chain.push(last === undefined ? trustFirstRoot(text, token.fleet) : trustNextRoot(text, last))
  }
  return chain
}

function checkCertificate(cert: string, ca: string, node: NodeKey, root: TrustedRoot): void {
  const leaf = new X509Certificate(cert)
  const id = nodeOfCertificate(leaf.raw, root.fleet)
  if (id !== node.id) throw new ShoalError('BAD_SIGNATURE', `certificate: is for node ${id}, this is ${node.id}`)
  if (!leaf.verify(new X509Certificate(ca).publicKey))
    throw new ShoalError('BAD_SIGNATURE', `certificate of ${id}: not signed by the CA ${pinOf(ca)}`)
}

/** @returns the key, if it is that of the certificate. @throws ShoalError BAD_SIGNATURE */
export function caKeyFor(ca: string, pem: string): string {
  const own = createPublicKey(createPrivateKey(pem)).export({ format: 'der', type: 'spki' })
  if (!own.equals(new X509Certificate(ca).publicKey.export({ format: 'der', type: 'spki' })))
    throw new ShoalError('BAD_SIGNATURE', 'ca.key: is not the key of ca.pem')
  return pem
}

/** Judges the facts as a node does, roots first, until nothing more is accepted; what stays unjudged comes again by the mesh. */
function acceptedFacts(roots: readonly TrustedRoot[], facts: readonly Fact[], node: NodeKey): readonly Fact[] {
  const [first, ...later] = roots
  if (first === undefined) throw new ShoalError('BAD_ROOT', 'root: the chain is empty')
  const fleet = new FleetView(first)
  for (const root of later) fleet.apply(rootFact(root))
  const judge = fleetJudge(fleet)
  const registers = new Registers()
  for (const root of roots) registers.merge(rootFact(root))
  let open = facts.filter(fact => fact.kind !== 'root')
  for (let before = -1; before !== open.length; ) {
    before = open.length
    open = open.filter(fact => {
      if (judge(fact, registers).v !== 'accept') return true
      if (registers.merge(fact) === 'new') fleet.apply(fact)
      return false
    })
  }
  if (!fleet.isMember(node.id))
    throw new ShoalError('NOT_MEMBER', `the answer holds no admission of node ${node.id} that its operators signed`)
  return registers.all()
}
