/** What the second script brings: whole screens, and parts of others, that few looks need. */
export { Log } from '../screens/log.tsx'
export { People } from '../screens/people.tsx'
export { Doctor } from './doctor.tsx'
export { HoldOne } from './hold-one.tsx'
export { OtherNode, ThisNode } from './this-node.tsx'
export { Selected } from './selected.tsx'
export { Stick } from './stick.tsx'
