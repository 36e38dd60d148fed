/** What a browser says of itself, as people would say it, and the browsers in which a person is signed in. A guess from
 * words that anybody can send: never proof. */
import { sql } from 'kysely'
import type { Origin } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'

export type Device = { browser?: string | undefined; system?: string | undefined }

/** The first that fits: those that pretend to be others come before the others. */
const browsers: [RegExp, string][] = [
  [/\bEdgi?A?(OS)?\//, 'Edge'],
  [/\bOPR\/|\bOpera\b/, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bMicroMessenger\//, 'WeChat'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\bYaBrowser\//, 'Yandex'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bChrome\/|\bCriOS\/|\bChromium\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
]
const systems: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bHarmonyOS\b|\bOpenHarmony\b/, 'HarmonyOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMacintosh\b|\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

export function describeDevice(userAgent: string | undefined | null): Device {
  const text = (userAgent ?? '').slice(0, 256)
  const first = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(text))?.[1]
  return { browser: first(browsers), system: first(systems) }
}

export type SignedInDevice = Device & {
  uid: string
  signedInAt: Date
  seenAt: Date
  address: string | null
  /** Names of the apps it has signed in to. */
  apps: string[]
}

/** A person's sessions as devices, the last seen first; at most a hundred. */
export async function listDevices(db: Db, accountId: string): Promise<SignedInDevice[]> {
  const { rows } = await sql<Omit<SignedInDevice, keyof Device> & { userAgent: string | null }>`
    select s.uid, coalesce(s.signed_in_at, s.created_at) as signed_in_at,
      coalesce(s.seen_at, s.signed_in_at, s.created_at) as seen_at, host(s.address) as address, s.user_agent,
      array(select c.name from clients c
        where c.id in (select jsonb_object_keys(s.authorizations)) order by lower(c.name)) as apps
    from sessions s where s.account_id = ${accountId} and s.expires_at > now()
    order by seen_at desc, s.uid limit 100`.execute(db)
  return rows.map(({ userAgent, ...row }) => ({ ...row, ...describeDevice(userAgent) }))
}

/** Remembers when and from where a session was last used, at most every five minutes. */
export async function seeDevice(
  db: Db,
  uid: string,
  { address, userAgent }: Origin,
): Promise<void> {
  await sql`update sessions set seen_at = now(), address = ${address ?? null}::inet,
      user_agent = ${userAgent?.slice(0, 256) ?? null}
    where uid = ${uid} and (seen_at is null or seen_at < now() - interval '5 minutes')`.execute(db)
}
