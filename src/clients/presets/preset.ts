/** What a preset says, and the words most of them share. */
import { backchannelGrant, deviceGrant } from '../rules/grants.ts'
export type Preset = {
  name: string
  /** One line: what it is for. */
  about: string
  /** Every `{app}` is the address given by --app-url; a preset with such places needs that address. */
  redirectUris: string[]
  postLogoutRedirectUris: string[]
  scopes: readonly string[]
  pkce: 'required' | 'optional'
  authMethod: 'client_secret_basic' | 'client_secret_post' | 'none'
  /** Which of basic and post it uses depends on the app's version or settings, so both are taken. */
  eitherSecretMethod?: true
  applicationType: 'web' | 'native'
  grantTypes: readonly string[]
  /** Sends the `resource` of another provider: dropped instead of refused. */
  ignoresUnknownResource?: true
  /** To paste on the app's side; {issuer} {client_id} {client_secret} {app} {redirect_uri} {scope} are filled in. */
  setup: string
  /** What to know besides, a sentence each. */
  notes?: string[]
}

export const people = ['openid', 'profile', 'email'] as const
export const peopleAndGroups = ['openid', 'profile', 'email', 'groups'] as const
/** Address and phone only where somebody asks for them by name. */
export const everything = ['openid', 'profile', 'email', 'groups', 'offline_access'] as const

export const code = ['authorization_code'] as const
export const deviceAndRefresh = [deviceGrant, 'refresh_token'] as const
export const backchannelAndRefresh = [backchannelGrant, 'refresh_token'] as const
export const codeAndRefresh = ['authorization_code', 'refresh_token'] as const

/** The app's own front page, in both spellings: the usual place to come back to after signing out. */
export const frontPage = ['{app}', '{app}/']
