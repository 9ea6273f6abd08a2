// What tests of other rooms borrow: a home with data in it and releases that migrate it.
export { order, picture, release, Rig, trialOf } from './rig.ts'
