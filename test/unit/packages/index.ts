// What other rooms' tests take from here.
export { app, buildZip, manifest, type Spec, withEntries } from '../../helpers/zip-builder.ts'
export { withSmallDisk } from './small-disk.ts'
