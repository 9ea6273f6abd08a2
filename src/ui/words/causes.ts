/** Causes of a failure in words: what it means, and what to do. Codes are a closed list; one that is not here is shown with the node's own message. */
import type { Code } from '../../model/index.ts'

type Cause = readonly [means: string, cure: string]

const en = {
  NOT_SEEN: ['No node sees it now.', 'Switch it on, or look at its network. It catches up by itself. To go on at once, go on without it.'],
  APP_IMPORT_FAILED: ['The release throws while its entry is loaded.', 'Mend the release and give it the next version.'],
  APP_START_FAILED: ['The release throws while it starts.', 'Mend the release and give it the next version.'],
  APP_UNHEALTHY: [
    'The release did not become healthy in its probation.',
    'Read the log lines; mend the release and give it the next version.',
  ],
  APP_CHANGES_ITSELF: ['The release changed a file of its own package.', 'Let it write in its data folder; give it the next version.'],
  WORKER_EXITED: [
    'The release ended its own process in its probation.',
    'Read the log lines; mend the release and give it the next version.',
  ],
  WORKER_SILENT: ['The release did not answer in time.', 'Look for endless loops and for work that blocks at the start.'],
  PORT_SILENT: ['The port did not answer with the new release.', 'Read the log lines of the node.'],
  PEERS_LOST: ['Others reach the machine, but not the new release.', 'Read the log lines of the node.'],
  CANNOT_UPDATE: ['This version of Shoal could not do the next update.', 'Stay on the version before; the message names the step.'],
  MIGRATE_FAILED: ['The migration of the data failed. The data is as it was.', 'Mend migrate() and give it the next version.'],
  DATA_CHANGED: ['Identity or configuration changed during the update.', 'Look who else writes in the home of the node.'],
  DATA_NEWER: ['The data was written by a newer version.', 'Say what becomes of it: keep it as it is, or put back what lay there before.'],
  NO_SNAPSHOT: ['The node has no data from before the migration.', 'Keep the data as it is, or go on without the node.'],
  INTERRUPTED: ['The machine stopped in the middle.', 'Try again.'],
  DISK_FULL: ['There is not enough space on the disk.', 'Free what is missing, then try again.'],
  ENGINE_UNSUPPORTED: ['The release needs another Node.js.', 'Roll out a Shoal that brings it first.'],
  NO_PACKAGE_FOR_PLATFORM: [
    'The release has no package for this platform.',
    'Publish a new version with packages for all platforms, or go on without.',
  ],
  MIN_FROM: ['The release cannot follow on what runs there.', 'Go through the version in between that the message names.'],
  OTHER_APP: ['The node has the data of another app.', 'Say that this is meant: replace the app.'],
  NOT_WRITABLE: ['The node may not write where it must.', 'Give the node’s user the right to write there.'],
  KEY_FILE_MODE: ['Others on the machine may read a file of secrets.', 'chmod 600 the file that the message names.'],
  NO_RESTART_PATH: ['Nothing would start the node again.', 'Install the service on the node.'],
  FAILED_BEFORE: ['The same release failed here before.', 'Try again if you know that it will go now.'],
  UNHEALTHY_BEFORE: ['The node was ill before and still is.', 'Cure the node first.'],
  HELD: ['Somebody holds the node.', 'Let it go on, or go on without it.'],
  SUPERSEDED: ['A newer order covers the node.', 'Nothing: look at the newer rollout.'],
  SLOT_DAMAGED: ['The disk has changed files of the release.', 'Check the disk. The node mends it from its peers.'],
  PACKAGE_UNAVAILABLE: ['No linked node has the package.', 'Link one that has it, or upload the package again.'],
  DIGEST_MISMATCH: ['The bytes that came are not those that were signed.', 'Try again; look who sent them.'],
} as const satisfies Readonly<Partial<Record<Code | 'NOT_SEEN', Cause>>>

export type Explained = keyof typeof en

const de: Readonly<Record<Explained, Cause>> = {
  NOT_SEEN: ['Kein Knoten sieht ihn jetzt.', 'Einschalten oder das Netz prüfen. Er holt von selbst auf. Sofort weiter geht es ohne ihn.'],
  APP_IMPORT_FAILED: ['Das Release wirft beim Laden einen Fehler.', 'Das Release reparieren und die nächste Version geben.'],
  APP_START_FAILED: ['Das Release wirft beim Start einen Fehler.', 'Das Release reparieren und die nächste Version geben.'],
  APP_UNHEALTHY: [
    'Das Release wurde in seiner Bewährung nicht gesund.',
    'Die Protokollzeilen lesen; reparieren und die nächste Version geben.',
  ],
  APP_CHANGES_ITSELF: [
    'Das Release hat eine Datei seines eigenen Pakets verändert.',
    'In seinen Datenordner schreiben lassen; die nächste Version geben.',
  ],
  WORKER_EXITED: [
    'Das Release hat seinen Prozess in der Bewährung selbst beendet.',
    'Die Protokollzeilen lesen; reparieren und die nächste Version geben.',
  ],
  WORKER_SILENT: ['Das Release hat nicht rechtzeitig geantwortet.', 'Nach Endlosschleifen suchen und nach Arbeit, die den Start aufhält.'],
  PORT_SILENT: ['Der Port hat mit dem neuen Release nicht geantwortet.', 'Die Protokollzeilen des Knotens lesen.'],
  PEERS_LOST: ['Andere erreichen die Maschine, aber nicht das neue Release.', 'Die Protokollzeilen des Knotens lesen.'],
  CANNOT_UPDATE: [
    'Diese Version von Shoal konnte das nächste Update nicht.',
    'Bei der Version davor bleiben; die Meldung nennt den Schritt.',
  ],
  MIGRATE_FAILED: [
    'Die Umstellung der Daten ist gescheitert. Die Daten sind, wie sie waren.',
    'migrate() reparieren und die nächste Version geben.',
  ],
  DATA_CHANGED: ['Identität oder Einstellungen haben sich beim Update geändert.', 'Nachsehen, wer sonst im Ordner des Knotens schreibt.'],
  DATA_NEWER: [
    'Eine neuere Version hat die Daten geschrieben.',
    'Sagen, was mit ihnen wird: behalten, wie sie sind, oder den Stand davor zurückholen.',
  ],
  NO_SNAPSHOT: [
    'Der Knoten hat keine Daten von vor der Umstellung.',
    'Die Daten behalten, wie sie sind, oder ohne den Knoten weitergehen.',
  ],
  INTERRUPTED: ['Die Maschine ist mittendrin stehen geblieben.', 'Noch einmal versuchen.'],
  DISK_FULL: ['Auf der Platte ist zu wenig Platz.', 'Freimachen, was fehlt, dann noch einmal versuchen.'],
  ENGINE_UNSUPPORTED: ['Das Release braucht ein anderes Node.js.', 'Zuerst ein Shoal ausrollen, das es mitbringt.'],
  NO_PACKAGE_FOR_PLATFORM: [
    'Das Release hat kein Paket für diese Plattform.',
    'Eine neue Version mit Paketen für alle Plattformen veröffentlichen oder ohne sie weitergehen.',
  ],
  MIN_FROM: ['Das Release kann nicht auf das folgen, was dort läuft.', 'Über die Version dazwischen gehen, die die Meldung nennt.'],
  OTHER_APP: ['Der Knoten hat die Daten einer anderen App.', 'Sagen, dass es so gemeint ist: App ersetzen.'],
  NOT_WRITABLE: ['Der Knoten darf nicht schreiben, wo er muss.', 'Dem Benutzer des Knotens das Schreiben dort erlauben.'],
  KEY_FILE_MODE: ['Andere auf der Maschine dürfen eine geheime Datei lesen.', 'chmod 600 auf die Datei, die die Meldung nennt.'],
  NO_RESTART_PATH: ['Nichts würde den Knoten wieder starten.', 'Den Dienst auf dem Knoten einrichten.'],
  FAILED_BEFORE: ['Dasselbe Release ist hier schon gescheitert.', 'Noch einmal versuchen, wenn klar ist, dass es jetzt geht.'],
  UNHEALTHY_BEFORE: ['Der Knoten war vorher krank und ist es noch.', 'Zuerst den Knoten heilen.'],
  HELD: ['Jemand hält den Knoten an.', 'Weiterlaufen lassen oder ohne ihn weitergehen.'],
  SUPERSEDED: ['Ein neuerer Auftrag gilt für den Knoten.', 'Nichts: das neuere Rollout ansehen.'],
  SLOT_DAMAGED: ['Die Platte hat Dateien des Release verändert.', 'Die Platte prüfen. Der Knoten heilt es von anderen Knoten.'],
  PACKAGE_UNAVAILABLE: ['Kein verbundener Knoten hat das Paket.', 'Einen verbinden, der es hat, oder das Paket noch einmal hochladen.'],
  DIGEST_MISMATCH: ['Die angekommenen Bytes sind nicht die unterschriebenen.', 'Noch einmal versuchen; nachsehen, wer sie geschickt hat.'],
}

export const explained = { en, de } as const
