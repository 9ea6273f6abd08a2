export { type Change, contentOf, type Fate, fates, RecordedDisk } from './disk.ts'
export { Recording } from './recording.ts'
export { callsOf, changesOf, type Timed } from './trace.ts'
