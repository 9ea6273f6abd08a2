/**
 * launchd: a daemon for root, an agent of the user else. It starts the loader again whatever its exit code was; it holds no port for it (that
 * needs a native call), so a restart of the supervisor is a gap of a second there.
 */
import { join } from 'node:path'
import { type ServiceFacts, type ServiceFile, serviceWord, xml } from './definition.ts'

/** Reverse-domain label of the job. */
export const launchdLabel = (name: string): string => `io.shoal.${name}`

/** @param folder /Library/LaunchDaemons, or the user's own Library/LaunchAgents */
export function launchdFiles(facts: ServiceFacts, folder: string): readonly ServiceFile[] {
  const { name, home, node, loader, user } = facts
  const label = launchdLabel(name)
  const text = (value: string): string => `<string>${xml(value)}</string>`
  const entry = (key: string, value: string): string => `  <key>${key}</key>\n  ${value}\n`
  const words = [node, loader, 'start', '--home', home].map(each => `    ${text(each)}\n`).join('')
  const out = text(join(home, 'instance', 'logs', 'service.log'))
  return [
    {
      path: join(folder, `${label}.plist`),
      text: `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${entry('Label', text(label))}${entry('ProgramArguments', `<array>\n${words}  </array>`)}${entry('WorkingDirectory', text(home))}${entry(
  'EnvironmentVariables',
  `<dict>\n    <key>SHOAL_SERVICE</key>\n    ${text(serviceWord('launchd', facts))}\n  </dict>`,
)}${user === null || !folder.endsWith('LaunchDaemons') ? '' : entry('UserName', text(user))}${entry('RunAtLoad', '<true/>')}${entry('KeepAlive', '<true/>')}${entry('ThrottleInterval', '<integer>5</integer>')}${entry('ExitTimeOut', '<integer>30</integer>')}${entry('ProcessType', text('Interactive'))}${entry('Umask', '<integer>63</integer>')}${entry('StandardOutPath', out)}${entry('StandardErrorPath', out)}</dict>
</plist>
`,
    },
  ]
}
