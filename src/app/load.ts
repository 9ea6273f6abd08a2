/**
 * Brings an app's entry into this process, and runs its `migrate`. The code is trusted (operators signed it); its mistakes are
 * expected.
 */
import { resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Manifest, messageOf, ShoalError } from '../model/index.ts'
import { Deadline } from './deadline.ts'
import type { AppHost, AppInstance, MigrateContext } from './host.ts'
import { importMs } from './limits.ts'

export interface AppModule {
  /** `name@version`, for messages. */
  readonly title: string
  readonly create: (host: AppHost) => AppInstance | Promise<AppInstance>
  readonly migrate: ((context: MigrateContext) => unknown) | null
}

/**
 * Imports the entry of an unpacked package. One process imports a slot once: Node keeps modules for ever. @throws ShoalError
 * APP_IMPORT_FAILED
 */
export async function importApp(slotDir: string, manifest: Manifest, signal?: AbortSignal): Promise<AppModule> {
  const title = `${manifest.name}@${manifest.version}`
  const path = resolve(slotDir, manifest.entry)
  const failed = (why: string, cause?: unknown): ShoalError =>
    new ShoalError('APP_IMPORT_FAILED', `app ${title}: ${manifest.entry}: ${why}`, cause === undefined ? {} : { cause })
  if (!path.startsWith(resolve(slotDir) + sep)) throw failed('is outside the package')
  let exported: Record<string, unknown>
  try {
    exported = (await new Deadline(importMs).run(() => import(pathToFileURL(path).href), signal)) as Record<string, unknown>
  } catch (cause) {
    throw failed(messageOf(cause), cause)
  }
  const { default: create, migrate } = exported
  if (typeof create !== 'function') throw failed(`its default export is ${kindOf(create)}, must be a function`)
  if (migrate !== undefined && typeof migrate !== 'function') throw failed(`its export migrate is ${kindOf(migrate)}, must be a function`)
  return { title, create: create as AppModule['create'], migrate: (migrate ?? null) as AppModule['migrate'] }
}

const kindOf = (value: unknown): string => (value === undefined ? 'missing' : value === null ? 'null' : typeof value)

/**
 * Changes the data from one version to another; an app without `migrate` reads every version. The caller's signal is the deadline.
 * @throws ShoalError MIGRATE_FAILED
 */
export async function migrateApp(module: AppModule, context: MigrateContext, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    await Promise.race([module.migrate?.(context), aborted])
  } catch (cause) {
    const versions = `data version ${String(context.from)} to ${context.to}`
    throw new ShoalError('MIGRATE_FAILED', `app ${module.title}: ${versions}: ${messageOf(cause)}`, { cause })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
