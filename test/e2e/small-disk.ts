/** A real disk that is small, and full: only that shows what happens on a full disk. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Fills the disk of a folder until so much is left. */
export function fill(dir: string, leaveBytes: number): void {
  const fd = openSync(join(dir, 'filler'), 'a')
  const chunk = Buffer.alloc(1 << 20)
  const free = (): number => statfsSync(dir).bavail * statfsSync(dir).bsize
  try {
    for (let left = free(); left > leaveBytes; left = free()) writeSync(fd, chunk, 0, Math.min(chunk.length, left - leaveBytes))
  } catch {
    // It is full.
  }
  closeSync(fd)
}

/** A home on a disk of its own, small and in memory; null where this user may mount none. */
export function smallDisk(t: Pick<Test, 'teardown'>, home: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
  try {
    execFileSync('sh', ['-c', 'mount -t tmpfs -o size=320m shoal-test "$0"', home], { stdio: 'ignore' })
  } catch {
    return null
  }
  t.teardown(() => execFileSync('sh', ['-c', 'umount -l "$0"', home]))
  return home
}
