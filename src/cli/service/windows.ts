/**
 * Windows: a service by WinSW, whose program lies beside its XML under the same name, or a task of the Task Scheduler, for which nothing
 * has to be fetched. Neither needs a console. Both start the loader again when it fails.
 */
import { join } from 'node:path'
import { type ServiceFacts, type ServiceFile, serviceWord, windowsWord, xml } from './definition.ts'

const commandLine = ({ loader, home }: ServiceFacts): string => [loader, 'start', '--home', home].map(windowsWord).join(' ')

export const winswDir = (home: string): string => join(home, 'instance', 'service')

export function winswFiles(facts: ServiceFacts): readonly ServiceFile[] {
  const { name, home, node } = facts
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<!-- Made by "shoal service". Put the program of WinSW beside this file, as ${xml(name)}.exe. -->
<service>
  <id>${xml(name)}</id>
  <name>Shoal node (${xml(name)})</name>
  <description>Shoal node in ${xml(home)}</description>
  <executable>${xml(node)}</executable>
  <arguments>${xml(commandLine(facts))}</arguments>
  <workingdirectory>${xml(home)}</workingdirectory>
  <env name="SHOAL_SERVICE" value="${xml(serviceWord('winsw', facts))}"/>
  <startmode>Automatic</startmode>
  <onfailure action="restart" delay="2 sec"/>
  <resetfailure>1 min</resetfailure>
  <stoptimeout>30 sec</stoptimeout>
  <logpath>${xml(join(home, 'instance', 'logs'))}</logpath>
  <log mode="roll-by-size">
    <sizeThreshold>5120</sizeThreshold>
    <keepFiles>2</keepFiles>
  </log>
</service>
`
  return [{ path: join(winswDir(home), `${name}.xml`), text }]
}

/** Runs as SYSTEM at boot, with no time limit, on battery too; a task that failed is started again after a minute, the shortest there is. */
export function taskFiles(facts: ServiceFacts): readonly ServiceFile[] {
  const { name, home, node } = facts
  const text = `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Shoal node in ${xml(home)}</Description>
    <URI>\\${xml(name)}</URI>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${xml(node)}</Command>
      <Arguments>${xml(commandLine(facts))}</Arguments>
      <WorkingDirectory>${xml(home)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`
  return [{ path: join(winswDir(home), `${name}.task.xml`), text }]
}
