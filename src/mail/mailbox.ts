/**
 * Mail without a mail server: a file for each mail in DATA_DIR/mailbox, read back by /dev/mailbox. For
 * development alone; the configuration refuses it in production.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../crypto.ts'
import type { Mailer } from './transport.ts'

export type StoredMail = {
  id: string
  to: string
  subject: string
  text: string
  html: string
  /** ISO 8601. */
  sentAt: string
}

const kept = 200

export function createMailbox({ dataDir }: { dataDir: string }): Mailer {
  const directory = join(dataDir, 'mailbox')
  const open = () => mkdir(directory, { recursive: true, mode: 0o700 })

  return {
    async send({ to, subject, text, html }) {
      await open()
      // Ids begin with the time, so the names of the files sort as the mails were sent.
      const id = newId()
      const mail: StoredMail = { id, to, subject, text, html, sentAt: new Date().toISOString() }
      const draft = join(directory, `${id}.draft`)
      await writeFile(draft, JSON.stringify(mail), { mode: 0o600 })
      // A reader sees the mail whole or not at all.
      await rename(draft, join(directory, `${id}.json`))
      const old = (await names(directory)).slice(kept)
      await Promise.all(old.map((name) => rm(join(directory, name), { force: true })))
    },
    async verify() {
      await open()
    },
    close() {},
  }
}

/** Newest first, at most 200. Empty when nothing has been sent yet. */
export async function listMailbox(dataDir: string): Promise<StoredMail[]> {
  const directory = join(dataDir, 'mailbox')
  const files = (await names(directory)).slice(0, kept)
  const mails = await Promise.all(
    files.map((name) => readFile(join(directory, name), 'utf8').catch(gone)),
  )
  return mails.flatMap((mail) => (mail === undefined ? [] : [JSON.parse(mail) as StoredMail]))
}

/** Newest first. */
async function names(directory: string): Promise<string[]> {
  const files = (await readdir(directory).catch(gone)) ?? []
  return files
    .filter((name) => name.endsWith('.json'))
    .sort()
    .reverse()
}

/** Not there yet, or removed by another process meanwhile. */
function gone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
