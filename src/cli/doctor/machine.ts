/** Checks of this machine and of the home's files. They read, and change nothing. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readSettings } from '../../app/index.ts'
import { type Config, type Digest, parseAddress, reserveBytesOf, systemCodeOf } from '../../model/index.ts'
import { unpackPackage } from '../../packages/index.ts'
import {
  entryOf,
  freeBytes,
  hasFileList,
  type HomePaths,
  readCurrent,
  readSlotManifest,
  slotDir,
  verifySlotAside,
} from '../../slots/index.ts'
import { integrityProblems } from '../../store/index.ts'
import { nodeOfCertificate, readNodeKey } from '../../trust/index.ts'
import { checkHome, fleetAtHome, readHomeFile } from '../home/index.ts'
import { bytesText, plural } from '../output.ts'
import { advice, type Check, ok, problem } from './finding.ts'

const oldestNode = 24
/** The Node-API that better-sqlite3 needs. */
const oldestNapi = 10

export const checkNode: Check = found => {
  const { node, napi } = process.versions
  const isOld = Number(node.split('.')[0]) < oldestNode || Number(napi) < oldestNapi
  found(isOld ? problem('NODE_VERSION', `this is Node.js ${node}, needed is ${oldestNode}`) : ok(`Node.js ${node}`))
}

export const checkModes =
  (paths: HomePaths): Check =>
  found => {
    checkHome(paths.home)
    found(ok('nobody else reads the private files'))
  }

/** The node's key, its certificate and the CA belong together; the user's own web certificate is still good. */
export const checkCertificates =
  (paths: HomePaths, now: Date): Check =>
  found => {
    const fleet = fleetAtHome(paths)
    const key = readNodeKey(readHomeFile(paths.nodeKey))
    const own = new X509Certificate(readHomeFile(paths.nodePem))
    const ca = new X509Certificate(readHomeFile(paths.caPem))
    if (nodeOfCertificate(own.raw, fleet) !== key.id)
      found(problem('HOME_DAMAGED', `${paths.nodePem}: is not of the key in ${paths.nodeKey}`))
    if (!own.verify(ca.publicKey)) found(problem('HOME_DAMAGED', `${paths.nodePem}: is not signed by ${paths.caPem}`))
    if (existsSync(paths.caKey) && !isKeyOf(readHomeFile(paths.caKey), ca))
      found(problem('HOME_DAMAGED', `${paths.caKey}: is not the key of ${paths.caPem}`))
    if (existsSync(paths.webPem)) webCertificate(paths, now, found)
    found(ok(`node ${key.id.slice(0, 8)} of fleet ${fleet.slice(0, 8)}`))
  }

function isKeyOf(pem: string, certificate: X509Certificate): boolean {
  const der = (key: ReturnType<typeof createPublicKey>): Buffer => key.export({ format: 'der', type: 'spki' })
  return der(createPublicKey(createPrivateKey(pem))).equals(der(certificate.publicKey))
}

function webCertificate(paths: HomePaths, now: Date, found: Parameters<Check>[0]): void {
  const web = new X509Certificate(readHomeFile(paths.webPem))
  if (!isKeyOf(readHomeFile(paths.webKey), web)) found(problem('HOME_DAMAGED', `${paths.webKey}: is not the key of ${paths.webPem}`))
  const todo = `put a new one in ${paths.webPem} and ${paths.webKey}, then \`shoal restart\``
  const days = Math.floor((Date.parse(web.validTo) - now.getTime()) / 86_400_000)
  if (days < 0) found(problem('CERTIFICATE_EXPIRED', `${paths.webPem}: was good until ${web.validTo}`, todo))
  else if (days < 14) found(advice(`${paths.webPem}: is good for ${days} more days`, todo))
}

/** Settings and secrets of the app, as it would get them. */
export const checkSettings =
  (paths: HomePaths, config: Config): Check =>
  async found => {
    await readSettings(config.app, paths.appEnv)
    found(ok('settings and secrets of the app can be read'))
  }

export const checkDisk =
  (paths: HomePaths, config: Config): Check =>
  async found => {
    const free = await freeBytes(paths.instance)
    const reserve = reserveBytesOf(config)
    const message = `${bytesText(free)} are free, ${bytesText(reserve)} are kept in reserve`
    found(free < reserve ? problem('DISK_FULL', message) : ok(message))
  }

/** Of a node that does not run: could it have its port? */
export const checkPortFree =
  (config: Config): Check =>
  async found => {
    const { host, port } = parseAddress(config.listen)
    const code = await new Promise<string | null>(resolve => {
      const server = createServer()
      server.once('error', error => resolve(systemCodeOf(error) ?? 'UNKNOWN'))
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
    })
    if (code === null) found(ok(`${config.listen} is free`))
    else if (code === 'EADDRINUSE') found(problem('PORT_IN_USE', `${config.listen}: another program listens there`))
    else if (code === 'EACCES')
      found(
        problem(
          'NOT_ALLOWED',
          `${config.listen}: this user may not listen there`,
          'choose a port above 1023, or install the service, which may',
        ),
      )
    else
      found(
        problem('BAD_REQUEST', `${config.listen}: cannot be bound (${code})`, 'set `listen` in config.json to an address of this machine'),
      )
  }

export const checkDatabase =
  (paths: HomePaths): Check =>
  found => {
    const problems = integrityProblems(paths.db)
    if (problems.length === 0) found(ok('node.db is whole'))
    for (const text of problems)
      found(
        problem(
          'HOME_DAMAGED',
          `${paths.db}: ${text}`,
          'the node mends itself from its peers at its next start; else restore a backup. Check the disk',
        ),
      )
  }

/** Every slot that current.json names, byte for byte. */
export const checkSlots =
  (paths: HomePaths, signal: AbortSignal): Check =>
  async found => {
    const current = readCurrent(paths.home)
    if (current === null) return
    const { app, shoal, previous, builtIn } = current
    if (current.state === 'safe')
      found(
        problem('APP_UNHEALTHY', 'the app stays out: safe mode', '`shoal logs` says why; deploy a release that works, or `shoal restart`'),
      )
    const named = new Set([shoal, builtIn, app, previous?.shoal, previous?.app].filter(digest => digest !== null && digest !== undefined))
    for (const digest of named) {
      const damage = await damageOf(paths, digest, signal)
      if (damage !== null) found(problem('SLOT_DAMAGED', `${slotDir(paths.home, digest)}: ${damage}`))
    }
    found(ok(`${plural(named.size, 'slot')} looked through`))
  }

/** null: as it was signed, or there is nothing to compare it with. */
async function damageOf(paths: HomePaths, digest: Digest, signal: AbortSignal): Promise<string | null> {
  const dir = slotDir(paths.home, digest)
  if (!existsSync(dir)) return 'is missing'
  if (hasFileList(dir)) return (await verifySlotAside(dir, signal))[0] ?? null
  const manifest = readSlotManifest(dir)
  if (manifest.kind === 'shoal' && entryOf(dir) === null) return 'has no src/entry'
  const zip = join(paths.packages, `${digest}.zip`)
  if (!existsSync(zip)) return existsSync(join(dir, manifest.entry)) ? null : `${manifest.entry} is missing`
  await unpackPackage(zip, dir, { expect: digest, signal })
  return null
}
