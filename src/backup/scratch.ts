/** A database for a moment: beside the real one on the same server, else an embedded one in a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomToken } from '../crypto.ts'
import { type Database, openDatabase } from '../database/connection.ts'

export type Scratch = {
  /** As settings of a server. */
  place: { databaseUrl?: string; dataDir: string }
  database: Database
  remove(): Promise<void>
}

/** `databaseUrl` is the real one's; without it, or where no database may be created there, an embedded one. */
export async function createScratch(databaseUrl: string | undefined): Promise<Scratch> {
  const dataDir = await mkdtemp(join(tmpdir(), 'idp-verify-'))
  const beside = databaseUrl === undefined ? undefined : await createBeside(databaseUrl)
  const place = { dataDir, ...(beside ? { databaseUrl: beside.url } : {}) }
  const database = await openDatabase({ ...place, poolSize: 4, applicationName: 'idp-cli' })
  return {
    place,
    database,
    async remove() {
      await database.close()
      await beside?.drop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function createBeside(
  databaseUrl: string,
): Promise<{ url: string; drop(): Promise<void> } | undefined> {
  const name = `idp_verify_${randomToken(9)
    .replace(/[^A-Za-z0-9]/g, '')
    .toLowerCase()}`
  const home = await openDatabase({
    databaseUrl,
    dataDir: '',
    poolSize: 1,
    applicationName: 'idp-cli',
  })
  try {
    // Never sees the settings of a template that somebody has filled.
    await home.pool.query(`create database ${name} template template0`)
  } catch (error) {
    await home.close()
    if ((error as { code?: unknown }).code === '42501') return undefined
    throw error
  }
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return {
    url: url.href,
    async drop() {
      await home.pool.query(`drop database if exists ${name} with (force)`)
      await home.close()
    },
  }
}
