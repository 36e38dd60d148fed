/** The one entry of `branding`: what it leaves out is as the environment says. */
import { changeBranding, readBranding } from '../branding.ts'
import type { BrandingEntry } from './document.ts'
import type { Kind } from './kind.ts'

const only = 'branding'

export const brandingKind: Kind<BrandingEntry> = {
  name: 'branding',
  label: () => only,

  async find(deps) {
    return (await brandingKind.list(deps))[0]
  },

  async read({ db }) {
    const { name, supportEmail } = await readBranding(db)
    if (name === null && supportEmail === null) return undefined
    return { name: name ?? undefined, support_email: supportEmail ?? undefined }
  },

  async write({ db, actor }, { name = null, support_email: supportEmail = null }) {
    const before = await readBranding(db)
    if (before.name !== name || before.supportEmail !== supportEmail)
      await changeBranding(db, { name, supportEmail }, actor)
    return { id: only }
  },

  async remove({ db, actor }) {
    await changeBranding(db, { name: null, supportEmail: null }, actor)
  },

  async list(deps) {
    return (await brandingKind.read(deps, only)) ? [only] : []
  },

  async toEntry(deps) {
    return JSON.parse(JSON.stringify((await brandingKind.read(deps, only)) ?? {}))
  },
}
