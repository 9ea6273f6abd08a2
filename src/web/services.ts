/** What the web room needs of the rest of the node. main.ts fits it together. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Address, Config, Digest, Fact, Manifest, NodeId, Reason, Running } from '../model/index.ts'
import type { DiskView, Pruned, PruneWish } from '../disk/index.ts'
import type { AuditLog } from './audit.ts'
import type { EventLog } from './event-log.ts'
import type { AnswerStore } from './idempotency.ts'
import type { Replica } from '../rollout/index.ts'
import type { KeyAndCertificate } from '../trust/index.ts'
import type { SessionStore } from './sessions/index.ts'
import type { TokenStore } from './tokens.ts'

export type Reach = 'self' | 'direct' | 'via' | 'lost'
export type LifeState = 'ok' | 'starting' | 'draining' | 'safe-mode'

/** One step of `peers test`; the first that fails ends it. */
export interface ProbeStep {
  readonly step: string
  readonly ok: boolean
  readonly message: string
}

export interface InviteStore {
  saveInvite(invite: { readonly id: string; readonly envelope: string; readonly uses: number; readonly expiresAt: string }): void
  invite(id: string): { readonly envelope: string; readonly expiresAt: string } | undefined
  redeem(id: string, node: string, admission: Fact): boolean
}

export interface PackageFiles {
  has(digest: Digest): boolean
  size(digest: Digest): number | null
  path(digest: Digest): string
  receive(
    stream: AsyncIterable<Uint8Array>,
    options: { readonly expect?: Digest; readonly announcedBytes?: number },
  ): Promise<{ readonly manifest: Manifest; readonly digest: Digest; readonly size: number }>
}

/** Operators' encrypted key files: at console nodes only. */
export interface OperatorKeyFiles {
  /** null: there is none of that name. */
  readonly read: (name: string) => Promise<string | null>
  /** Is any kept here? */
  readonly keepsKeys: () => Promise<boolean>
  readonly save: (name: string, text: string) => Promise<void>
  readonly drop: (name: string) => Promise<void>
  /** A new key beside the one that still counts; it takes its place by `settle`, or goes by `unstage`. */
  readonly stage: (name: string, text: string) => Promise<void>
  readonly settle: (name: string) => Promise<void>
  readonly unstage: (name: string) => Promise<void>
  /** The one that is staged; null: none is. */
  readonly staged: (name: string) => Promise<string | null>
}

/** certs/recovery-kit.json, made anew in the same way. */
export interface RecoveryKitFile {
  readonly stage: (text: string) => Promise<void>
  readonly settle: () => Promise<void>
  readonly unstage: () => Promise<void>
}

/** Backups and what else is kept of data/; what is begun goes on after the answer, and its view tells how it ends. */
export interface Backups {
  list(): Promise<readonly BackupView[]>
  create(): string
  verify(id: string): Promise<void>
  restore(id: string, identity: boolean): Promise<void>
}

export interface BackupView {
  readonly id: string
  readonly kind: string
  readonly at: string
  readonly node: string
  /** It is of this node. */
  readonly own: boolean
  readonly app: string | null
  readonly dataVersion: number | null
  readonly files: number | null
  readonly bytes: number
  readonly state: string
  readonly reason: Reason | null
}

/** The node's disk: what lies there, why, and what may go. */
export interface DiskCare {
  look(): Promise<DiskView>
  survey(wish: PruneWish): Promise<DiskView>
  prune(wish: PruneWish): Promise<Pruned>
  /** Room for an upload; what nothing needs makes way if it must. @throws ShoalError DISK_FULL, with what is missing */
  need(bytes: number, coming: readonly Digest[], isUpload: boolean): Promise<void>
}

export interface AppDoor {
  /** null: no app runs here. */
  readonly handle: ((req: IncomingMessage, res: ServerResponse) => void) | null
  readonly upgrade: ((req: IncomingMessage, socket: Socket, head: Buffer) => boolean) | null
}

export interface LogQuery {
  /** How many of the last lines, where there is no cursor. */
  readonly lines: number
  readonly after: string | null
}

export interface LogPage {
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  readonly cursor: string
  readonly gap: boolean
}

export interface WebServices {
  readonly replica: Replica
  readonly self: NodeId
  /** Bearer of instance/local.token: reads all, changes this node only. */
  readonly localToken: string
  readonly config: () => Config
  readonly addresses: () => readonly string[]
  readonly life: () => LifeState
  readonly running: () => { readonly app: Running | null; readonly shoal: Running }
  readonly reach: (node: NodeId) => Reach
  /** ms since this node last heard of the other. */
  readonly ageMs: (node: NodeId) => number
  readonly publish: (facts: readonly Fact[], durable: boolean) => void
  readonly sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly ca: KeyAndCertificate | null
  readonly caPem: string
  /** SHA-256 of the certificate that people see, 64 hex digits. */
  readonly webFingerprint: string
  readonly invites: InviteStore
  readonly people: SessionStore & TokenStore & AnswerStore
  readonly audit: AuditLog
  readonly operatorKeys: OperatorKeyFiles
  readonly recoveryKit: RecoveryKitFile
  /** `shoal doctor` of this node. @throws ShoalError BUSY, INTERNAL */
  readonly examine: () => Promise<unknown>
  /** As the service names itself that would start the node again, such as `systemd:shoal`; empty: none. */
  readonly service: () => Promise<string>
  /** The node may keep operators' keys. */
  readonly isConsole: () => boolean
  readonly packages: PackageFiles
  /** Where instance/ lies. */
  readonly freeBytes: () => Promise<number>
  /** Serves packages to peers: the part of the path behind `/_shoal/peer/v1/`. */
  readonly servePackage: (req: IncomingMessage, res: ServerResponse, path: string) => void
  readonly document: (digest: Digest) => string | undefined
  readonly holdingsChanged: () => void
  /** A page of this node's log, and of another's. @throws ShoalError NO_NODE, NOT_MEMBER … */
  readonly logs: {
    readonly own: (query: LogQuery) => Promise<LogPage>
    readonly of: (node: NodeId, query: LogQuery) => Promise<LogPage>
  }
  readonly app: () => AppDoor
  readonly acceptLink: (req: IncomingMessage, socket: Socket, head: Buffer, peer: NodeId) => void
  readonly probe: (address: Address, expect: NodeId | null) => Promise<{ readonly id: NodeId | null; readonly steps: readonly ProbeStep[] }>
  /** Links that are up. */
  readonly links: () => readonly { readonly peer: NodeId; readonly dialled: boolean; readonly ageMs: number }[]
  /** What the manifest of a slot says: its kind, and `name@version`; both empty where it cannot be read. */
  readonly slotOf: (digest: string) => { readonly kind: string; readonly name: string }
  /** What another member answers, read by `parse`: a path below `/_shoal/peer/v1/`. @throws ShoalError NO_NODE */
  readonly askPeer: <T>(node: NodeId, path: string, timeoutMs: number, parse: (answer: unknown, what: string) => T) => Promise<T>
  readonly pin: (peer: { readonly id: NodeId; readonly address: string }) => Promise<void>
  readonly unpin: (id: NodeId) => Promise<void>
  readonly rename: (name: string) => Promise<void>
  /** config.json as it is written now; the node goes by `config` until its next start. */
  readonly configFile: () => Config
  readonly writeConfig: (edit: (config: Config) => Config) => Promise<void>
  readonly stop: () => void
  readonly restart: () => void
  readonly leave: () => Promise<void>
  readonly backups: Backups
  readonly disk: DiskCare
  readonly events: EventLog
  /** Calls when streams must end, at park; returns how to take the wish back. */
  readonly onStreamsEnd: (end: () => void) => () => void
  readonly wallNow: () => Date
  readonly log: (event: string, fields: Record<string, unknown>) => void
}
