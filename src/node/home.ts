/** The files of a home that a worker needs: identity, certificates, configuration. Read once at start; config.json is written whole. */
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import {
  type Config,
  type FleetId,
  formatConfig,
  messageOf,
  type NodeBody,
  parseAddress,
  parseConfig,
  parseFleetId,
  parseJson,
  ShoalError,
} from '../model/index.ts'
import { advertised, type HomePaths, homePaths, keepCopy, thisPlatform, writeDurable } from '../slots/index.ts'
import { type KeyAndCertificate, type NodeKey, nodeOfCertificate, readNodeKey, sha256 } from '../trust/index.ts'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { keptWebCertificate } from './web-certificate.ts'

export interface Home {
  readonly paths: HomePaths
  readonly key: NodeKey
  readonly fleet: FleetId
  readonly certPem: string
  readonly caPem: string
  /** Only where invites are redeemed. */
  readonly ca: KeyAndCertificate | null
  readonly web: KeyAndCertificate
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${path}: ${messageOf(cause)}`, { cause })
  }
}

/** Without it no worker of any slot can be this node. @throws ShoalError HOME_DAMAGED that names the file */
function readAs<T>(path: string, parse: (text: string) => T): T {
  const text = read(path)
  try {
    return parse(text)
  } catch (cause) {
    const cure = 'put it back from a backup, or run `shoal reset-identity` and join again; data is kept'
    throw new ShoalError('HOME_DAMAGED', `${path}: is damaged (${messageOf(cause)}): ${cure}`, { cause })
  }
}

/** The user's own certificate; null: there is none, or one that is half written or of another key, which must not keep the node from its work. */
function ownWebCertificate({ webPem, webKey }: HomePaths): KeyAndCertificate | null {
  if (!existsSync(webPem)) return null
  try {
    const [cert, key] = [read(webPem), read(webKey)]
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key }
    throw new ShoalError('HOME_DAMAGED', `${webKey}: is not the key of ${webPem}`)
  } catch (error) {
    process.emitWarning(`the web certificate is not used: ${messageOf(error)}; see \`shoal doctor\``)
    return null
  }
}

/** @throws ShoalError HOME_DAMAGED */
export function readHome(home: string, hosts: readonly string[]): Home {
  const paths = homePaths(home)
  const key = readAs(paths.nodeKey, readNodeKey)
  const certPem = read(paths.nodePem)
  const caPem = read(paths.caPem)
  const cert = readAs(paths.nodePem, pem => new X509Certificate(pem))
  readAs(paths.caPem, pem => new X509Certificate(pem))
  const fleet = parseFleetId(/^DNS:[a-z2-7]{52}\.([a-z2-7]{52})\.shoal$/.exec(cert.subjectAltName ?? '')?.[1], `${paths.nodePem}: fleet`)
  if (nodeOfCertificate(cert.raw, fleet) !== key.id)
    throw new ShoalError('HOME_DAMAGED', `${paths.nodePem} is not of the key in ${paths.nodeKey}`)
  const ca = existsSync(paths.caKey) ? { key: read(paths.caKey), cert: caPem } : null
  const web = ownWebCertificate(paths) ?? keptWebCertificate(paths.webMade, hosts)
  return { paths, key, fleet, certPem, caPem, ca, web }
}

/** @throws ShoalError HOME_DAMAGED */
export function readConfig(home: string): Config {
  const path = homePaths(home).config
  try {
    return parseConfig(parseJson(read(path), path))
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', messageOf(cause), { cause })
  }
}

/** Settings of the running node; every change is on disk before it counts. */
export class Settings {
  readonly #paths: HomePaths
  #config: Config
  #last: Promise<unknown> = Promise.resolve()
  #changing = 0

  constructor(paths: HomePaths, config: Config) {
    this.#paths = paths
    this.#config = config
  }

  get config(): Config {
    return this.#config
  }

  /** A change is on its way to the disk: the file may be the old or the new one. */
  get isChanging(): boolean {
    return this.#changing > 0
  }

  /**
   * One change after the other, each of what the file says now: somebody may have edited it.
   * @param written called when it is on the disk, while `isChanging`
   * @throws ShoalError HOME_DAMAGED, DISK_FULL
   */
  change(edit: (config: Config) => Config, written: () => void = () => undefined): Promise<void> {
    return this.#inTurn(() => this.#change(edit), written)
  }

  /** For the next start: the running node goes on as it is. @throws ShoalError HOME_DAMAGED, DISK_FULL, and what `edit` throws */
  write(edit: (config: Config) => Config, written: () => void = () => undefined): Promise<void> {
    return this.#inTurn(() => this.#write(edit), written)
  }

  /** What config.json says now. @throws ShoalError HOME_DAMAGED, BAD_REQUEST */
  file(): Config {
    const path = this.#paths.config
    return parseConfig(parseJson(read(path), path))
  }

  #inTurn(act: () => Promise<void>, written: () => void = () => undefined): Promise<void> {
    this.#changing += 1
    const done = this.#last
      .then(act)
      .then(written)
      .finally(() => (this.#changing -= 1))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #change(edit: (config: Config) => Config): Promise<void> {
    await this.#write(edit)
    // What somebody wrote into the file meanwhile counts from the next start on.
    this.#config = parseConfig(edit(this.#config), this.#paths.config)
  }

  async #write(edit: (config: Config) => Config): Promise<void> {
    const path = this.#paths.config
    const before = this.file()
    const next = parseConfig(edit(before), path)
    if (formatConfig(next) === formatConfig(before)) return
    await writeDurable(path, formatConfig(next))
    keepCopy(this.#paths, formatConfig(next))
  }
}

/** Letters, digits and hyphens, in parts: what a certificate can name. */
const dnsName = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/

/** All by which people may reach this node, for its web certificate; the best first. */
export function webHosts(config: Config): readonly string[] {
  const listen = parseAddress(config.listen).host
  const named = [
    ...advertised(config).map(a => parseAddress(a).host),
    ...(isAny(listen) ? [] : [listen]),
    ...config.hosts.map(withoutPort),
    config.name,
  ]
  const hosts = [...named, 'localhost', '127.0.0.1', '::1'].map(host => host.toLowerCase())
  return [...new Set(hosts)].filter(host => isIP(host) !== 0 || dnsName.test(host))
}

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::'
const withoutPort = (host: string): string => (isIP(host) === 0 ? host.replace(/:\d+$/, '') : host)

/** What a node says of itself. */
export const describe = (config: Config, can: { readonly console: boolean; readonly redeems: boolean }, left: boolean): NodeBody => ({
  name: config.name,
  addresses: advertised(config),
  tags: config.tags,
  platform: thisPlatform(),
  nodejs: process.versions.node,
  ...can,
  left,
})

/** What no update may change: the node's identity and its configuration, as one digest. */
export function protectedDigest(paths: HomePaths): string {
  return sha256([paths.nodeKey, paths.nodePem, paths.caPem, paths.config].map(path => sha256(readFileSync(path))).join(' '))
}
