/** The thread that compares a built-in slot with its list: a list of problems, or one text if it has no list that can be read. */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../model/index.ts'
import { verifySlot } from './files.ts'

parentPort?.postMessage(await verifySlot(String(workerData)).catch(messageOf))
