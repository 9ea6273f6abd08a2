/** Packages come in: of signed releases from anybody, since they can be nothing else; others from a session that may sign them. */
import type { Context } from 'koa'
import { type Digest, maxPackageBytes, parseDigest, ShoalError } from '../model/index.ts'
import { isAtLeast } from './access.ts'
import type { Caller } from './callers.ts'
import type { WebServices } from './services.ts'
import { steady, type UploadTurns } from './upload-turns.ts'

interface Named {
  readonly digest: Digest
  readonly size: number
}

/** @throws ShoalError UNAUTHENTICATED, NOT_ALLOWED, UNKNOWN_DIGEST, UNSUPPORTED_TYPE, LENGTH_REQUIRED, TOO_LARGE, DIGEST_MISMATCH, PACKAGE_REJECTED, DISK_FULL, BUSY, CANCELLED */
export async function takePackage(ctx: Context, s: WebServices, caller: Caller, turns: UploadTurns): Promise<unknown> {
  const text = ctx.get('x-shoal-digest')
  const digest = text === '' ? null : parseDigest(text)
  const named = digest === null ? null : namedBy(s, digest)
  if (named === null) maySendAny(caller, digest)
  if (ctx.request.type !== 'application/zip')
    throw new ShoalError('UNSUPPORTED_TYPE', `content type is ${ctx.request.type || 'missing'}, must be application/zip`)
  const announcedBytes = Number(ctx.get('content-length'))
  if (ctx.get('content-length') === '' || !Number.isSafeInteger(announcedBytes))
    throw new ShoalError('LENGTH_REQUIRED', 'send a Content-Length')
  if (named !== null && s.packages.has(named.digest)) return { ...named, ...namesOf(s, named.digest) }
  if (announcedBytes > maxPackageBytes) throw new ShoalError('TOO_LARGE', `${announcedBytes} bytes, at most ${maxPackageBytes}`)
  if (named !== null && announcedBytes !== named.size)
    throw new ShoalError(
      'DIGEST_MISMATCH',
      `package ${named.digest}: ${announcedBytes} bytes are announced, the release says ${named.size}`,
    )
  return turns.run(caller, ctx.request.ip, () => receive(ctx, s, announcedBytes, digest, named !== null))
}

async function receive(ctx: Context, s: WebServices, announcedBytes: number, digest: Digest | null, isNamed: boolean): Promise<unknown> {
  await s.disk.need(announcedBytes, digest === null ? [] : [digest], true)
  const options = { announcedBytes, ...(digest === null ? {} : { expect: digest }) }
  const { manifest, digest: got, size } = await s.packages.receive(steady(ctx.req.iterator({ destroyOnReturn: false })), options)
  if (isNamed) s.holdingsChanged()
  ctx.status = 201
  const { kind, name, version, platform } = manifest
  return { digest: got, size, kind, name, version, platform }
}

function namedBy(s: WebServices, digest: Digest): Named | null {
  const refs = s.replica.book.releases().flatMap(({ release }) => Object.values(release.packages))
  return refs.find(ref => ref.digest === digest) ?? null
}

function namesOf(s: WebServices, digest: Digest): Record<string, string> {
  for (const { release } of s.replica.book.releases())
    for (const [platform, ref] of Object.entries(release.packages))
      if (ref.digest === digest) return { kind: release.kind, name: release.name, version: release.version, platform }
  return {}
}

/** Bytes that no release names yet: they are judged, and lie here until somebody signs for them. */
function maySendAny(caller: Caller, digest: Digest | null): void {
  if (caller.kind === 'session') {
    const { name, role } = caller.session
    if (!isAtLeast(role, 'operator')) throw new ShoalError('NOT_ALLOWED', `${name} is ${role}; this takes an operator or admin`)
    return
  }
  if (digest === null) throw new ShoalError('UNAUTHENTICATED', 'name the digest of a known release in x-shoal-digest, or log in')
  throw new ShoalError('UNKNOWN_DIGEST', `no known release names ${digest}`)
}
