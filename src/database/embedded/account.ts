/**
 * As whom PostgreSQL runs. It refuses root, and a user without a name. In a user namespace it takes itself for
 * `nobody` while its files stay ours, so nothing is chowned; where the kernel forbids that to root, the real
 * `nobody` gets the cluster.
 */
import { chmodSync, existsSync, lchownSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Account, type Binaries, incomplete, run } from './binaries.ts'
import { type Place, refusal } from './directory.ts'

const nobody: Account = { owner: { uid: 65_534, gid: 65_534 } }

/**
 * An existing cluster keeps its owner. Also returns the major version of the binaries, which were run to see
 * whether they can be. Throws StorageError when there is no way.
 */
export async function chooseAccount(
  place: Place,
  binaries: Binaries,
): Promise<{ account: Account; version: string }> {
  const attempts: string[] = []
  for (const account of candidates(place)) {
    // Others may then pass through DATA_DIR, not look into it.
    if (account === nobody) chmodSync(place.dataDir, statSync(place.dataDir).mode | 0o001)
    // Fails where the user has no name, may not enter the directory, or may not read the program.
    const script = 'id -un >&2 && cd "$0" && exec "$1" --version'
    const args = ['-c', script, place.dataDir, binaries.postgres]
    const { code, output } = await run(account, '/bin/sh', args)
    const version = /\(PostgreSQL\) (\d+)/.exec(output)?.[1]
    if (code === 0 && version !== undefined) {
      if (account === nobody && existsSync(place.cluster)) giveTo(account, place.cluster)
      return { account, version }
    }
    attempts.push(`${nameOf(account)}: ${output.trim().replaceAll('\n', ' ')}`)
  }
  if (attempts.some((attempt) => /shared librar/.test(attempt))) throw incomplete(attempts[0] ?? '')
  throw refusal(
    `PostgreSQL cannot run on ${place.dataDir} (${attempts.join('; ')}): ` +
      'start the provider as an ordinary user who may enter that directory and node_modules.',
  )
}

/** Gives a directory and all in it to the account's owner, when that is not us. */
export function giveTo({ owner }: Account, directory: string): void {
  if (!owner) return
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(directory, name), owner.uid, owner.gid)
  }
  lchownSync(directory, owner.uid, owner.gid)
}

function candidates({ dataDir, cluster }: Place): Account[] {
  if (process.getuid?.() !== 0) return [{}, { namespace: true }]
  const { uid, gid } = statSync(existsSync(cluster) ? cluster : dataDir)
  if (uid === 0) return [{ namespace: true }, nobody]
  const owner = { uid, gid }
  return [{ owner }, { owner, namespace: true }]
}

function nameOf({ owner, namespace }: Account): string {
  const who = owner ? `as uid ${owner.uid}` : 'as this user'
  return namespace ? `${who} in a user namespace` : who
}
