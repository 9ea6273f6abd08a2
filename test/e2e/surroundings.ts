/** What the fault tests borrow from the machine, where it lends it: a disk that can be filled, a clock that is wrong. */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

const libraries = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/faketime/libfaketimeMT.so.1',
]

/** Environment in which a process lives in that year, and its monotonic clock is right; null: libfaketime is not here. */
export function clockAt(year: number): Record<string, string> | null {
  const library = libraries.find(path => existsSync(path))
  if (library === undefined) return null
  return { LD_PRELOAD: library, FAKETIME: `@${year}-06-01 12:00:00`, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '0' }
}

export interface Clock {
  /** For processes that are to go by it. */
  readonly env: Readonly<Record<string, string>>
  /** Sets it, forward or back, while they run. */
  readonly set: (year: number) => void
}

/** A clock that can be set under a running node; null: libfaketime is not here. @param file says by how much it is wrong */
export function settableClock(file: string): Clock | null {
  const env = clockAt(2000)
  if (env === null) return null
  const set = (year: number): void => {
    const years = year - new Date().getFullYear()
    // Written beside: it is read at any moment.
    writeFileSync(`${file}.new`, `${years < 0 ? '' : '+'}${years}y`)
    renameSync(`${file}.new`, file)
  }
  set(new Date().getFullYear())
  const rest = Object.entries(env).filter(([name]) => name !== 'FAKETIME')
  return { env: { ...Object.fromEntries(rest), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1' }, set }
}

/** Nobody may write, replace or remove it for a while, as under a virus scanner or a backup; null: this user may not. */
export function lockFile(path: string): (() => void) | null {
  if (spawnSync('chattr', ['+i', path]).status !== 0) return null
  return () => void spawnSync('chattr', ['-i', path])
}

export interface SmallDisk {
  readonly fill: () => void
  readonly empty: () => void
}

/** Makes the first box's home of a fleet a disk of its own, in memory; null where this user may mount none. */
export function onSmallDisk(t: Test, fleetDir: string, sizeMb = 320): SmallDisk | null {
  const home = join(fleetDir, 'box-1')
  mkdirSync(home, { recursive: true })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'shoal-test', home]).status !== 0) return null
  t.teardown(() => spawnSync('umount', ['-l', home]))
  const ballast = join(home, 'ballast')
  const fill = (): void => {
    const fd = openSync(ballast, 'a')
    for (const size of [1 << 20, 1 << 12, 1]) while (tryWrite(fd, Buffer.alloc(size)));
    closeSync(fd) // else its blocks outlive its name
  }
  return { fill, empty: () => rmSync(ballast) }
}

function tryWrite(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) > 0
  } catch {
    return false
  }
}
