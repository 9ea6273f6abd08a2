/** What a worker gives to the node that it becomes. */
import type { Code, Digest, Running, SwitchTarget } from '../model/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { LoadedApp } from './app-runner.ts'
import type { Home, Settings } from './home.ts'
import type { Log } from './log.ts'

export interface RuntimeOptions {
  readonly home: Home
  readonly settings: Settings
  /** Read before. */
  readonly replica: Replica | null
  readonly app: LoadedApp | null
  /** The app stays out: it crashed too often, it is not known, or its slot is damaged. */
  readonly isSafe: boolean
  /** Which slots are current, whether they could be loaded or not. */
  readonly slots: { readonly app: Digest | null; readonly shoal: Digest; readonly builtIn: Digest }
  readonly isAppDamaged: boolean
  /** Its slot was mended before this worker loaded it. */
  readonly isAppMended: boolean
  readonly shoal: Running
  readonly trial: SwitchTarget | null
  /** Something starts the supervisor again, so that a new one is adopted. */
  readonly hasLoader: boolean
  readonly log: Log
  readonly requestSwitch: (target: SwitchTarget) => void
  /** The app asked for time, to start or to become healthy: ms from now. */
  readonly onHold: (ms: number, reason: string) => void
  /** What comes before the app may take so long, ms from now. */
  readonly needTime: (ms: number, reason: string) => void
  /** This worker should not be the node any longer: the supervisor starts another. */
  readonly giveUp: (code: Code, message: string) => void
}
