/**
 * systemd: a service and the socket of its port. The socket is systemd's, so connections wait while the node restarts; the service says
 * READY, WATCHDOG and STOPPING by `systemd-notify`, a child of the node: hence NotifyAccess=all. Of deadlines, the loader has those of a start.
 */
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { formatAddress } from '../../model/index.ts'
import { type ServiceFacts, type ServiceFile, serviceWord } from './definition.ts'

export const systemdDir = '/etc/systemd/system'

/** Specifiers begin with %. */
const plain = (text: string): string => text.replaceAll('%', '%%')
/** One word of a list: quoted, C-like escapes. */
const word = (text: string): string => `"${plain(text).replace(/[\\"]/g, '\\$&')}"`
/** One word of a command line, where $ begins a variable too. */
const argument = (text: string): string => word(text).replaceAll('$', '$$$$')

/** systemd's own /tmp would hide such a home. */
const isBelowTmp = (home: string): boolean => /^\/(?:var\/)?tmp(?:\/|$)/.test(home)

export function systemdFiles(facts: ServiceFacts): readonly ServiceFile[] {
  const service = { path: join(systemdDir, `${facts.name}.service`), text: serviceText(facts) }
  if (facts.listen === null) return [service]
  return [service, { path: join(systemdDir, `${facts.name}.socket`), text: socketText(facts) }]
}

function serviceText(facts: ServiceFacts): string {
  const { name, home, node, loader, listen, elsewhere, user } = facts
  const socket = listen === null ? '' : ` ${name}.socket`
  return `# Made by \`shoal service\`; \`shoal doctor\` tells when it is out of date.
[Unit]
Description=Shoal node in ${plain(home)}
After=network.target${socket}
${listen === null ? '' : `Wants=${name}.socket\n`}RequiresMountsFor=${[home, ...elsewhere].map(word).join(' ')}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart=${[node, loader, 'start', '--home', home].map(argument).join(' ')}
WorkingDirectory=${plain(home)}
Environment=SHOAL_SERVICE=${serviceWord('systemd', facts)}
${listen === null ? '' : `Sockets=${name}.socket\n`}${user === null ? '' : `User=${user}\n`}# 75 asks for a new start; 2 says that this home is no node (any more).
Restart=always
RestartSec=2
RestartForceExitStatus=75
RestartPreventExitStatus=2
# The loader ends a start that takes too long, and tries the slot before: systemd must not cut it short.
TimeoutStartSec=infinity
TimeoutStopSec=30
WatchdogSec=180
KillMode=mixed
# A worker that is out of memory is the supervisor's to start again.
OOMPolicy=continue
LimitNOFILE=65536
UMask=0077
# The home is writable, all else is not.
ProtectSystem=strict
ReadWritePaths=${[home, ...elsewhere].map(word).join(' ')}
${isBelowTmp(home) ? '' : 'PrivateTmp=yes\n'}NoNewPrivileges=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
${user !== null && listen !== null && listen.port < 1024 ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE\n' : ''}
[Install]
WantedBy=multi-user.target
`
}

function socketText({ name, home, listen }: ServiceFacts): string {
  if (listen === null) return ''
  return `# Made by \`shoal service\`: the port of ${name}.service, open also while the node restarts.
[Unit]
Description=Port of the Shoal node in ${plain(home)}

[Socket]
ListenStream=${formatAddress(listen)}
${isIPv6(listen.host) ? `BindIPv6Only=${listen.host === '::' ? 'both' : 'ipv6-only'}\n` : ''}FreeBind=yes
Backlog=4096
TriggerLimitIntervalSec=0
Service=${name}.service

[Install]
WantedBy=sockets.target
`
}
