/**
 * The closed list of codes: what a command, a route or a node's `reason` may say. Each has the exit code of a command that ends
 * with it, the HTTP status of a route that answers with it, and what a person should do. `explain CODE` prints from here.
 */
interface CodeEntry {
  readonly exit: 1 | 2 | 3 | 4 | 5
  readonly status: number
  readonly todo: string
}

const entry = (exit: CodeEntry['exit'], status: number, todo: string): CodeEntry => ({ exit, status, todo })

export const codes = {
  // Wrong use of a command or a route.
  USAGE: entry(2, 400, 'Read `shoal help <command>`.'),
  BAD_REQUEST: entry(1, 400, 'The message names the field and what is wrong with it.'),
  NOT_FOUND: entry(1, 404, 'List what exists (`shoal nodes`, `releases`, `rollout list`) and name one of those.'),
  AMBIGUOUS: entry(1, 409, 'The prefix fits more than one; give more characters.'),
  METHOD_NOT_ALLOWED: entry(1, 405, 'Use a method that the route has.'),
  LENGTH_REQUIRED: entry(1, 411, 'Send a Content-Length.'),
  TOO_LARGE: entry(1, 413, 'Make it smaller; the message has the limit.'),
  UNSUPPORTED_TYPE: entry(1, 415, 'Send the content type that the message names.'),
  RANGE_NOT_SATISFIABLE: entry(1, 416, 'Ask for a range inside the file.'),
  MISDIRECTED: entry(1, 421, 'Use one of the node’s own names or addresses, or add the name to `hosts` in config.json.'),
  FOREIGN_ORIGIN: entry(4, 403, 'The request came from a page of another site.'),
  INTERNAL: entry(1, 500, 'A fault of Shoal: the node’s log has the request id.'),
  STARTING: entry(1, 503, 'The node is starting or changing over; try again in a moment.'),
  BUSY: entry(1, 503, 'The node has as many of these as it takes at once; try again shortly.'),
  CONFLICT: entry(1, 409, 'Somebody changed the same thing meanwhile; look again and repeat.'),
  IDEMPOTENCY_MISMATCH: entry(1, 422, 'Use a new Idempotency-Key for a new request.'),
  IDEMPOTENCY_UNKNOWN: entry(1, 409, 'Look whether the first try was done; if not, repeat it with a new Idempotency-Key.'),
  CANCELLED: entry(1, 409, 'The command was stopped before its end; repeat it when you mean it. --yes answers its question.'),

  // A home, its files, its process.
  HOME_EMPTY: entry(2, 400, 'Found a fleet with `shoal init`, or enter one with `shoal join TOKEN`.'),
  HOME_HAS_FLEET: entry(1, 409, 'This home is a node already. Use another --home, or `shoal leave` first.'),
  HOME_DAMAGED: entry(1, 500, 'A file of the home cannot be read; the message names it. Restore it from a backup, or join again.'),
  KEY_FILE_MODE: entry(1, 500, 'chmod 600 the file that the message names.'),
  NODE_VERSION: entry(1, 500, 'Install Node.js 24 or newer, or use a platform whose package brings it along.'),
  PORT_IN_USE: entry(1, 409, 'Stop what listens there, or choose another --listen.'),
  ALREADY_RUNNING: entry(1, 409, 'The node of this home runs already: use it, or end it first with `shoal stop`.'),
  NO_NODE: entry(3, 503, 'Start the node (`shoal start`), or name another with --server.'),
  SERVICE_OUTDATED: entry(1, 409, 'Run `shoal service install` again; the service takes it at its next start.'),
  CERTIFICATE_EXPIRED: entry(1, 500, 'Put a new certificate in certs/web.pem and its key in certs/web.key, then `shoal restart`.'),
  DEGRADED: entry(1, 503, 'The node serves, but something is wrong with it: `shoal logs` has the alarm.'),
  CLOCK_OFF: entry(1, 422, 'Set the clock, or have it set by the network; Shoal itself needs no right one, logs and windows do.'),
  NO_SYNC_PEERS: entry(
    1,
    409,
    'Pin one or two with `shoal peers add HOST:PORT`, so that the node finds its fleet again whatever it forgets.',
  ),
  PEER_FAILED: entry(1, 503, 'The message names the first step that fails; `shoal peers test` says it again.'),
  CLONED_ID: entry(1, 409, 'On the copy: `shoal stop`, `shoal reset-identity`, then join again with a new invite. The data stays.'),
  SERVICE_FAILED: entry(
    1,
    500,
    'The service manager refused; the message is its own. `shoal service print` shows what to install by hand.',
  ),
  DISK_FULL: entry(1, 507, 'Free what the message says is missing.'),
  DB_LOCKED: entry(
    1,
    503,
    'Another program holds instance/node.db open: end it (a backup tool, a database browser). The node waits for it.',
  ),
  DB_DAMAGED: entry(
    1,
    500,
    'instance/node.db could not be read: it was put aside, and the node asks its sync peers for what it held. Check the disk.',
  ),
  FLEET_UNKNOWN: entry(
    1,
    503,
    'node.db was lost: the node serves its app and asks its sync peers. Start one of them, or see `shoal peers test`. A fleet of one that lost it is founded anew: `shoal reset-identity`, `shoal init`.',
  ),
  SLOT_DAMAGED: entry(
    1,
    500,
    'The disk changed files of a release. The node mends it from its package or its peers; else deploy again. Check the disk.',
  ),

  // Trust.
  NOT_ALLOWED: entry(4, 403, 'This needs an operator of the role that the message names.'),
  UNAUTHENTICATED: entry(4, 401, 'Use the node’s own token, or log in.'),
  LOGIN_FAILED: entry(4, 401, 'Check name and passphrase; a session may also have ended: log in again.'),
  TOO_MANY_TRIES: entry(4, 429, 'Wait as long as Retry-After says, then try again.'),
  CSRF: entry(4, 403, 'Send the header x-csrf with what the session told at its beginning; reload the page.'),
  BAD_PASSPHRASE: entry(4, 403, 'Check the passphrase; the recovery kit helps when it is lost.'),
  NO_OPERATOR_KEY: entry(
    4,
    403,
    'Name one with --operator at a node that keeps operators’ keys. Anywhere else give a copy of the key file with --key FILE: `shoal operators export NAME --out FILE` makes one there.',
  ),
  BAD_SIGNATURE: entry(1, 422, 'The document was changed, or signed by a key that the root does not name.'),
  OTHER_FLEET: entry(1, 422, 'Use one that was made for this fleet, or name that fleet’s node with --server.'),
  BAD_ROOT: entry(1, 422, 'The root chain is not accepted: fetch it again from another peer.'),
  TOKEN_MALFORMED: entry(1, 400, 'The token is cut or mistyped; copy it again whole.'),
  TOKEN_EXPIRED: entry(1, 403, 'Make a new one with `shoal invite`.'),
  TOKEN_USED: entry(1, 403, 'Make a new one with `shoal invite`.'),
  TOKEN_PIN_MISMATCH: entry(1, 403, 'Somebody else answers at that address: nothing was told to it. Check the address.'),
  NOT_MEMBER: entry(
    1,
    403,
    'It needs a new invite: `shoal invite` at a node of the fleet; here `shoal leave`, then `shoal join TOKEN`. Its data stays.',
  ),
  JOIN_UNREACHABLE: entry(3, 503, 'None of the token’s addresses answers; check that the node runs and the network.'),
  LAST_REDEEMER: entry(
    1,
    409,
    'Have another node let others in first: `shoal keys restore --key recovery-kit.json` there, then `shoal restart`. --force goes all the same.',
  ),
  LAST_ADMIN: entry(1, 409, 'Make another admin first.'),

  // Packages and releases.
  NOT_A_ZIP: entry(1, 422, 'Name a zip that `shoal pack` made; if it is one, it was cut: pack or copy it again.'),
  PACKAGE_REJECTED: entry(1, 422, 'The package breaks the rule that the message names; pack it again with `shoal pack`.'),
  NOT_AN_APP: entry(1, 422, 'package.json needs name, version and "shoal": { "app": "<entry>" }.'),
  BAD_VERSION: entry(1, 422, 'Versions are semver: 1.2.3.'),
  APP_IMPORT_FAILED: entry(1, 422, 'Mend what the message, which is the app’s own, names; then deploy a new version.'),
  RELEASE_EXISTS: entry(
    1,
    409,
    'A release is immutable, its platforms too: raise the version, and publish the packages of all platforms in one command.',
  ),
  UNKNOWN_RELEASE: entry(1, 404, 'Publish it first; `shoal releases` shows what is signed.'),
  UNKNOWN_DIGEST: entry(1, 422, 'Publish the release first, then send its package.'),
  DIGEST_MISMATCH: entry(1, 422, 'The bytes are not those that were signed; fetch them again from another source.'),
  PACKAGE_UNAVAILABLE: entry(1, 404, 'No linked node has the package; link one that does.'),
  DOWNGRADE: entry(1, 409, 'The version is lower than what runs. Use --allow-downgrade, or `shoal rollback`.'),

  // Rollouts.
  NOTHING_TO_DO: entry(1, 409, 'Name nodes or tags that exist: `shoal nodes` lists them.'),
  NO_EARLIER_RELEASE: entry(1, 409, 'There is no confirmed release before this one; name one with --to.'),
  ORDER_CLOSED: entry(1, 409, 'The rollout has ended; make a new one.'),
  ROLLOUT_NOT_DONE: entry(5, 409, 'The rollout ended otherwise than ordered: `shoal rollout show` says where and why.'),

  // Why a node did not, or not yet, do what an order says.
  NO_PACKAGE_FOR_PLATFORM: entry(
    1,
    422,
    'A release has all its platforms from the beginning: raise the version, pack it on each platform, and publish the packages in one command. Or leave the node out with --select or `rollout skip`.',
  ),
  ENGINE_UNSUPPORTED: entry(
    1,
    422,
    'The release needs another Node.js: deploy a `shoal` release that brings it, or pack the app with the one that the nodes have.',
  ),
  MIN_FROM: entry(1, 422, 'Go through the version in between that the message names.'),
  OTHER_APP: entry(1, 422, 'The node holds the data of another app; --replace-app says that this is meant.'),
  DATA_NEWER: entry(
    1,
    422,
    'The data was written by a newer version: `--data keep` opens it as it is, `--data restore` puts back what lay there before; or roll forward.',
  ),
  NO_SNAPSHOT: entry(
    1,
    422,
    'Go back with `--data keep` if the release can read the data, restore a backup (`shoal backup list`), or leave the node out with `rollout skip`.',
  ),
  BACKUP_DAMAGED: entry(1, 422, 'The backup is not as it was made: `shoal backup verify` names what differs. Restore another one.'),
  NOT_WRITABLE: entry(1, 422, 'Give the node’s user write access to the path in the message.'),
  NO_RESTART_PATH: entry(1, 422, 'Install the service (`shoal service install`), so that the node comes back.'),
  APP_START_FAILED: entry(1, 422, 'The release throws while it starts; the message is the app’s own.'),
  APP_CLOSE_FAILED: entry(1, 500, 'The release did not let go of its data when it was closed, so its process is ended instead.'),
  APP_UNHEALTHY: entry(1, 422, 'The release did not become healthy within its probation; the message is its last answer.'),
  APP_CHANGES_ITSELF: entry(
    1,
    422,
    'The release changes files of its own package; the message names one. An app writes in `host.dataDir`.',
  ),
  WORKER_EXITED: entry(1, 422, 'The release ended its own process during probation; the last log lines say more.'),
  WORKER_SILENT: entry(1, 422, 'The release did not answer in time; look for endless loops at start.'),
  PORT_SILENT: entry(1, 422, 'The node’s port did not answer through TLS with the new release.'),
  CANNOT_UPDATE: entry(
    1,
    422,
    'This version of Shoal could not do the next update; the message names the step. The one before runs again.',
  ),
  PEERS_LOST: entry(1, 422, 'Peers reach the machine but not the new release.'),
  MIGRATE_FAILED: entry(
    1,
    422,
    'The app’s migrate() threw or did not end; the data is as it was before. Mend it and give the release the next version.',
  ),
  DATA_CHANGED: entry(1, 422, 'Identity or configuration changed during the update; the old release runs again.'),
  INTERRUPTED: entry(1, 422, 'The machine stopped in the middle; the node is back on the release that worked.'),
  FAILED_BEFORE: entry(1, 422, 'This release failed here before; --force or `rollout retry` tries again.'),
  HELD: entry(1, 409, 'Somebody holds the node; `shoal nodes unhold` lets it go on.'),
  SKIPPED: entry(1, 409, 'An operator left the node out.'),
  SUPERSEDED: entry(1, 409, 'A newer order covers the node.'),
  SUPERVISOR_FAILED: entry(
    1,
    422,
    'The new Shoal served until it was started anew, and then did not start: the node runs another. Its log says why; order a release that is mended.',
  ),
  UNHEALTHY_BEFORE: entry(1, 409, 'The node was ill before the update and is still; cure it first.'),
} as const satisfies Record<string, CodeEntry>

export type Code = keyof typeof codes

export const isCode = (text: string): text is Code => Object.hasOwn(codes, text)
