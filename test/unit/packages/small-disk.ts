// A real disk of 2 MB, where this machine lets us make one: only a full disk shows what happens on a full disk.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

const tools = { attach: 'mount', detach: 'umount' }

export async function withSmallDisk(t: Test, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'shoal-small-disk-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  if (spawnSync(tools.attach, ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dir]).status !== 0) {
    t.comment('skipped: no right to mount a small tmpfs, so no full disk')
    return
  }
  try {
    await use(dir)
  } finally {
    spawnSync(tools.detach, ['-l', dir])
  }
}
