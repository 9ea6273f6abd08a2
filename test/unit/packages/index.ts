// What other rooms' tests take from here.
export { app, buildZip, manifest, type Spec } from '../../helpers/zip-builder.ts'
export { withSmallDisk } from './small-disk.ts'
