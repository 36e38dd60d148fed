/** A patient on a test database, looked at by some of the checks, and the findings that are worth a word. */

import type { Config } from '../../src/config.ts'
import type { Database } from '../../src/database/connection.ts'
import { examine } from '../../src/doctor/examine.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { createWorld, type Patient, type World } from '../../src/doctor/patient.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'

export function patientOf(
  config: Config,
  database: Database | undefined,
  world: Partial<World> = {},
): Patient {
  return {
    config,
    problems: [],
    database,
    world: { ...createWorld(config), ...world },
    engineCheck: createClientCheck(config.issuer, config.allowPrivateTargets),
  }
}

/** What the named checks of the table find. */
export function look(patient: Patient, ...names: string[]): Promise<Finding[]> {
  return examine(patient, { only: ({ name }) => names.includes(name) })
}

/** Without what is fine. */
export function complaints(findings: Finding[]): Finding[] {
  return findings.filter(({ state }) => state === 'broken' || state === 'warning')
}
