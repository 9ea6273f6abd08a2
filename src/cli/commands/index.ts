/** The command table: all that `shoal` offers. */
import type { Grammar } from '../parser.ts'
import type { CommandSpec } from '../spec.ts'
import { auditCommands } from './audit.ts'
import { backupCommands } from './backups.ts'
import { completionCommands } from './completion.ts'
import { configCommands } from './config.ts'
import { demoCommands } from './demo.ts'
import { doctorCommands } from './doctor.ts'
import { explainCommands } from './explain.ts'
import { homeCommands } from './home.ts'
import { inviteCommands } from './invite.ts'
import { lifecycleCommands } from './lifecycle.ts'
import { loginCommands } from './login.ts'
import { logCommands } from './logs.ts'
import { nodeCommands } from './nodes.ts'
import { peerCommands } from './peers.ts'
import { peopleCommands } from './people.ts'
import { pruneCommands } from './prune.ts'
import { recoveryCommands } from './recovery.ts'
import { releaseCommands } from './releases.ts'
import { rolloutCommands } from './rollouts.ts'
import { serviceCommands } from './service.ts'
import { stickCommands } from './stick.ts'

export const groups: Grammar['groups'] = {
  nodes: { aliases: ['fleet'], about: 'the fleet' },
  peers: { about: 'sync peers' },
  releases: { about: 'what is signed' },
  rollout: { about: 'orders and what the fleet does about them' },
  operators: { about: 'people' },
  tokens: { about: 'what scripts read with' },
  keys: { about: 'keys' },
  service: { about: 'the node as a service of this machine' },
  backup: { about: 'the data of the node at home' },
  config: { about: 'settings of the node at home' },
}

export const commands: readonly CommandSpec[] = [
  ...homeCommands,
  ...inviteCommands,
  ...nodeCommands,
  ...releaseCommands,
  ...rolloutCommands,
  ...lifecycleCommands,
  ...peerCommands,
  ...peopleCommands,
  ...auditCommands,
  ...recoveryCommands,
  ...logCommands,
  ...loginCommands,
  ...stickCommands,
  ...configCommands,
  ...serviceCommands,
  ...doctorCommands,
  ...backupCommands,
  ...pruneCommands,
  ...explainCommands,
  ...completionCommands(() => commands, groups),
  ...demoCommands,
]

export const examples = `Examples:
  shoal start --init                     found a fleet here and run its first node
  shoal invite | ssh box shoal join -    let another machine in
  shoal deploy ./my-app                  bring an app to every node, wave by wave
`
