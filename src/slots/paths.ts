/** Every path of a home (DESIGN section 5) stands here once. Nothing else joins paths under a home. */
import { join, resolve } from 'node:path'

export interface HomePaths {
  readonly home: string
  readonly certs: string
  readonly caPem: string
  readonly nodePem: string
  readonly nodeKey: string
  /** Only where invites are redeemed. */
  readonly caKey: string
  /** The user's own certificate, if there is one. */
  readonly webPem: string
  readonly webKey: string
  readonly recoveryKit: string
  readonly firstOperator: string
  readonly operators: string
  /** A token of an unattended join; gone once it is used. */
  readonly joinToken: string
  readonly instance: string
  readonly config: string
  /** Copy of config.json as it last was when it could be read. */
  readonly configCopy: string
  /** Secrets of the app, 0600. */
  readonly appEnv: string
  readonly db: string
  readonly localToken: string
  /** The web certificate that the node made for itself, with its key. */
  readonly webMade: string
  readonly packages: string
  readonly slots: string
  readonly current: string
  /** Copy of current.json for the day on which that cannot be read. */
  readonly currentCopy: string
  /** Holds the digest of the built-in slot and nothing else: the last thing that is believed. */
  readonly builtIn: string
  /** The loader's only file: starts since the last `ready`. */
  readonly attempts: string
  readonly data: string
  /** What lies in data/, and the migration that is not over. */
  readonly dataJournal: string
  readonly backups: string
  readonly inbox: string
  readonly logs: string
  readonly nodeLog: string
  /** 0700: private sockets, and which processes belong to the running supervisor. */
  readonly run: string
  /** Node.js's compile cache. */
  readonly cache: string
}

export function homePaths(home: string): HomePaths {
  const root = resolve(home)
  const certs = join(root, 'certs')
  const instance = join(root, 'instance')
  const slots = join(instance, 'slots')
  const logs = join(instance, 'logs')
  return {
    home: root,
    certs,
    caPem: join(certs, 'ca.pem'),
    nodePem: join(certs, 'node.pem'),
    nodeKey: join(certs, 'node.key'),
    caKey: join(certs, 'ca.key'),
    webPem: join(certs, 'web.pem'),
    webKey: join(certs, 'web.key'),
    recoveryKit: join(certs, 'recovery-kit.json'),
    firstOperator: join(certs, 'first-operator.txt'),
    operators: join(certs, 'operators'),
    joinToken: join(certs, 'join-token'),
    instance,
    config: join(instance, 'config.json'),
    configCopy: join(instance, 'config.json.bak'),
    appEnv: join(instance, 'app.env'),
    db: join(instance, 'node.db'),
    localToken: join(instance, 'local.token'),
    webMade: join(instance, 'web.json'),
    packages: join(instance, 'packages'),
    slots,
    current: join(slots, 'current.json'),
    currentCopy: join(slots, 'current.json.bak'),
    builtIn: join(slots, 'builtin'),
    attempts: join(slots, 'attempts'),
    data: join(instance, 'data'),
    dataJournal: join(instance, 'data.json'),
    backups: join(instance, 'backups'),
    inbox: join(instance, 'inbox'),
    logs,
    nodeLog: join(logs, 'node.log'),
    run: join(instance, 'run'),
    cache: join(instance, 'cache'),
  }
}
