/** Every check of the house in one table. A check needs what it names, and says so where that is not to be had. */
import { checkClientAddresses, checkClients } from './clients.ts'
import { checkDatabaseClock, checkIssuerClock, checkWorldClock } from './clock.ts'
import { checkCookies } from './cookies.ts'
import { checkDatabase } from './database.ts'
import { checkDiscovery } from './discovery.ts'
import type { Finding } from './finding.ts'
import { checkKeys, checkSealed } from './keys.ts'
import { checkFiles, checkNode } from './machine.ts'
import { checkMailDomain } from './mail-domain.ts'
import { checkMailServer } from './mail-server.ts'
import { checkKeptDomain, checkPasskeys } from './passkeys.ts'
import type { Patient } from './patient.ts'
import { checkProxy } from './proxy.ts'
import { checkBackup, checkQueue } from './queue.ts'
import { checkSettings } from './settings.ts'
import { checkTls } from './tls.ts'

export type Check = {
  name: string
  /** `network`: somebody other than the database is asked; `--offline` leaves it out. */
  needs: readonly ('database' | 'issuer' | 'network')[]
  /** Cheap enough, and not known by then: a server does it after it has come up. */
  atStart: boolean
  run(patient: Patient): Promise<Finding[]>
}

export const checks: readonly Check[] = [
  { name: 'settings', needs: [], atStart: false, run: checkSettings },
  { name: 'node', needs: [], atStart: true, run: checkNode },
  { name: 'files', needs: [], atStart: true, run: checkFiles },
  { name: 'database', needs: ['database'], atStart: true, run: checkDatabase },
  { name: 'clock.database', needs: ['database'], atStart: true, run: checkDatabaseClock },
  { name: 'keys', needs: ['database'], atStart: true, run: checkKeys },
  { name: 'keys.secret', needs: ['database'], atStart: true, run: checkSealed },
  { name: 'jobs', needs: ['database'], atStart: true, run: checkQueue },
  { name: 'backup', needs: ['database'], atStart: false, run: checkBackup },
  { name: 'passkeys.domain', needs: ['database', 'issuer'], atStart: true, run: checkPasskeys },
  { name: 'clients.rules', needs: ['database', 'issuer'], atStart: true, run: checkClients },
  { name: 'proxy', needs: ['database', 'issuer', 'network'], atStart: true, run: checkProxy },
  { name: 'tls', needs: ['issuer', 'network'], atStart: true, run: checkTls },
  { name: 'cookies', needs: ['issuer', 'network'], atStart: false, run: checkCookies },
  { name: 'discovery', needs: ['issuer', 'network'], atStart: false, run: checkDiscovery },
  { name: 'clock.issuer', needs: ['issuer', 'network'], atStart: false, run: checkIssuerClock },
  { name: 'clock.world', needs: ['network'], atStart: false, run: checkWorldClock },
  { name: 'mail.sign-in', needs: ['network'], atStart: false, run: checkMailServer },
  { name: 'mail.domain', needs: ['network'], atStart: false, run: checkMailDomain },
  {
    name: 'passkeys.related',
    needs: ['database', 'issuer', 'network'],
    atStart: false,
    run: checkKeptDomain,
  },
  {
    name: 'clients.addresses',
    needs: ['database', 'network'],
    atStart: false,
    run: checkClientAddresses,
  },
]
