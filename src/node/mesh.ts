/** The mesh of a running node: the pure core over this replica, driven over WebSockets. */
import { createMesh, type Mesh, MeshCore, type MeshNews } from '../mesh/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { RuntimeOptions } from './runtime-options.ts'

export function openMesh(
  replica: Replica,
  { home, settings, app, shoal, trial, log }: RuntimeOptions,
  onNews: (news: MeshNews) => void,
): Mesh {
  const isMember = replica.fleet.isMember.bind(replica.fleet)
  const core = new MeshCore({
    node: home.key.id,
    fleet: home.fleet,
    registers: replica.registers,
    judge: replica.judge,
    isMember,
    rng: Math.random,
    runs: { app: app?.running.digest ?? null, shoal: shoal.digest, trial: trial?.order ?? null },
    pinned: settings.config.peers,
  })
  const tls = { key: home.key.key, cert: home.certPem, ca: home.caPem }
  return createMesh({ self: home.key.id, fleet: home.fleet, tls, core, isMember, onNews, log })
}
