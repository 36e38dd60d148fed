/** The tables as Kysely sees them (camelCase). `db/migrations` is the truth; a test holds the two together. */
import type { ColumnType, Generated, JSONColumnType } from 'kysely'

type Json<T extends object = Record<string, unknown>> = JSONColumnType<T>
type Defaulted<T extends object> = ColumnType<T, string | undefined, string>

export type AccountStatus = 'unverified' | 'active' | 'disabled' | 'deleted'

export type ProofPurpose = 'reset-password' | 'change-address'

export type RegistrationStatus =
  | 'initiated'
  | 'username_validated'
  | 'user_created'
  | 'system_user_created'
  | 'mail_configured'
  | 'verification_sent'
  | 'verified'
  | 'failed'

export type Tables = {
  accounts: {
    id: string
    username: string
    usernameSkeleton: string
    status: AccountStatus
    passwordHash: string | null
    passwordChangedAt: Date | null
    email: string | null
    emailCanonical: string | null
    emailVerifiedAt: Date | null
    name: string
    givenName: string
    familyName: string
    pictureUrl: string | null
    locale: string | null
    zoneinfo: string | null
    address: ColumnType<Record<string, string> | null, string | null | undefined, string | null>
    phoneNumber: string | null
    phoneNumberVerifiedAt: Date | null
    disabledReason: string | null
    deletionDueAt: Date | null
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  accountRoles: {
    accountId: string
    role: string
    createdAt: Generated<Date>
  }
  roles: {
    id: string
    name: string
    clientId: string | null
    description: Generated<string>
    permissions: Generated<string[]>
    builtIn: Generated<boolean>
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  groups: {
    name: string
    description: Generated<string>
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  groupMembers: { groupName: string; accountId: string; createdAt: Generated<Date> }
  groupRoles: { groupName: string; role: string; createdAt: Generated<Date> }
  clientRoles: { clientId: string; role: string; createdAt: Generated<Date> }
  clientAccess: { clientId: string; role: string | null; groupName: string | null }
  serviceSettings: {
    accountId: string
    clientId: string
    settings: JSONColumnType<Record<string, unknown>>
    version: string
    updatedAt: Generated<Date>
  }
  adminGuard: { isOnly: Generated<boolean> }
  passkeyHolders: { accountId: string; userHandle: Buffer; createdAt: Generated<Date> }
  passkeys: {
    id: string
    accountId: string
    credentialId: Buffer
    publicKey: Buffer
    counter: ColumnType<string, number, number>
    transports: Generated<string[]>
    backupEligible: boolean
    backedUp: boolean
    aaguid: string
    rpId: string
    name: Generated<string>
    createdAt: Generated<Date>
    lastUsedAt: Generated<Date | null>
  }
  passkeyChallenges: {
    idHash: Buffer
    purpose: 'add' | 'sign-in'
    boundTo: Buffer
    accountId: string | null
    expiresAt: Date
  }
  passkeyDomain: { isOnly: Generated<boolean>; rpId: string }
  passkeyOrigins: { origin: string; createdAt: Generated<Date> }
  passkeyDeclines: { accountId: string; deviceHash: Buffer; declinedAt: Generated<Date> }
  registrations: {
    id: string
    handleHash: Buffer
    accountId: string | null
    username: string
    email: string
    emailCanonical: string
    name: string
    locale: string
    passwordHash: string | null
    status: RegistrationStatus
    lastStep: RegistrationStatus
    error: string | null
    mailNumber: Generated<number>
    codeHash: Buffer | null
    tokenHash: Buffer | null
    proofExpiresAt: Date | null
    guesses: Generated<number>
    nextMailAt: Date | null
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
    verifiedAt: Date | null
    verifiedBy: Generated<'code' | 'link' | null>
    expiresAt: Date
    inviteId: Generated<string | null>
  }
  invites: {
    id: string
    codeHash: Buffer
    uses: number
    used: Generated<number>
    roles: Generated<string[]>
    email: string | null
    emailCanonical: string | null
    note: string | null
    createdBy: string
    createdAt: Generated<Date>
    expiresAt: Date | null
    revokedAt: Generated<Date | null>
  }
  blocks: {
    id: string
    network: string
    kind: 'rule' | 'behaviour'
    scope: Generated<'entry' | 'all'>
    reason: string
    createdBy: string
    times: Generated<number>
    createdAt: Generated<Date>
    expiresAt: Date | null
  }
  webhooks: {
    id: string
    url: string
    events: string[]
    note: string | null
    secretSealed: Buffer
    oldSecretSealed: Buffer | null
    oldSecretUntil: Date | null
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
    disabledAt: Date | null
    overflowedAt: Date | null
  }
  webhookDeliveries: {
    id: Generated<string>
    webhookId: string
    type: string
    body: string
    state: Generated<'pending' | 'delivered' | 'failed'>
    attempts: Generated<number>
    error: string | null
    createdAt: Generated<Date>
    attemptedAt: Date | null
    nextAttemptAt: Generated<Date>
    settledAt: Date | null
  }
  mailProofs: {
    id: string
    purpose: ProofPurpose
    accountId: string | null
    email: string
    emailCanonical: string
    locale: string
    mailNumber: Generated<number>
    codeHash: Buffer | null
    tokenHash: Buffer | null
    proofExpiresAt: Date
    guesses: Generated<number>
    nextMailAt: Date
    provenAt: Date | null
    consumedAt: Date | null
    createdAt: Generated<Date>
    expiresAt: Date
  }
  pictures: {
    id: string
    accountId: string
    bytes: Buffer
    createdAt: Generated<Date>
  }
  addressUndos: {
    id: string
    accountId: string
    email: string
    emailCanonical: string
    tokenHash: Buffer
    createdAt: Generated<Date>
    expiresAt: Date
  }
  registrationTransitions: {
    registrationId: string
    at: Generated<Date>
    fromStatus: RegistrationStatus | null
    toStatus: RegistrationStatus
    error: string | null
  }
  clients: {
    id: string
    name: string
    preset: string
    metadata: Json
    firstParty: Generated<boolean>
    pkceRequired: Generated<boolean>
    ignoresUnknownResource: Generated<boolean>
    profile: 'fapi2' | 'fapi2-message-signing' | null
    accessTokenSeconds: number | null
    refreshIdleSeconds: number | null
    refreshTotalSeconds: number | null
    refreshRotation: Generated<boolean>
    userinfoAcr: '1fa' | '2fa' | 'phr' | null
    userinfoMaxAgeSeconds: number | null
    authorizationChallenge: Generated<boolean>
    secondFactor: 'asked' | 'enrolled' | 'new-device' | 'always' | null
    secondFactors: string[] | null
    certificateAuthorities: string | null
    claimNames: ColumnType<Record<string, string> | null, object | null | undefined, object | null>
    registeredWith: Generated<string | null>
    managementHash: Generated<Buffer | null>
    disabledAt: Date | null
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  settings: { name: string; value: Json; updatedAt: Generated<Date> }
  appliedObjects: {
    kind: string
    id: string
    declared: Json<object>
    created: boolean
    place: number
    appliedAt: Generated<Date>
  }
  authenticators: {
    id: string
    accountId: string
    name: string
    secretSealed: Buffer
    lastStep: number
    createdAt: Generated<Date>
    lastUsedAt: Date | null
  }
  recoveryCodes: {
    codeHash: Buffer
    accountId: string
    createdAt: Generated<Date>
    usedAt: Date | null
  }
  rememberedDevices: {
    tokenHash: Buffer
    accountId: string
    factor: string
    address: string | null
    userAgent: string | null
    createdAt: Generated<Date>
    lastUsedAt: Generated<Date>
    expiresAt: Date
  }
  signInCodes: {
    flowHash: Buffer
    accountId: string
    emailCanonical: string
    number: number
    codeHash: Buffer
    guesses: Generated<number>
    nextMailAt: Date
    expiresAt: Date
  }
  clientSecrets: {
    hash: Buffer
    clientId: string
    createdAt: Generated<Date>
    expiresAt: Date | null
  }
  metadataHosts: {
    host: string
    scopes: string[]
    apis: Generated<string[]>
    createdAt: Generated<Date>
  }
  registrationTokens: {
    id: string
    name: string
    tokenHash: Buffer
    usesLeft: number | null
    used: Generated<number>
    scopes: string[]
    grantTypes: string[]
    redirectHosts: Generated<string[]>
    apis: Generated<string[]>
    createdAt: Generated<Date>
    expiresAt: Date | null
    revokedAt: Generated<Date | null>
  }
  idempotencyKeys: {
    caller: string
    keyHash: Buffer
    fingerprint: Buffer
    attempt: string
    startedAt: Generated<Date>
    answer: Buffer | null
    expiresAt: Date
  }
  apis: {
    identifier: string
    name: string
    scopes: Generated<string[]>
    tokenLifetimeSeconds: Generated<number>
    tokenFormat: Generated<'jwt' | 'opaque'>
    tokenAlg: Generated<'RS256' | 'ES256' | 'EdDSA'>
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
    builtIn: Generated<boolean>
  }
  authorizationTypes: {
    name: string
    apiIdentifier: string
    schema: Json
    createdAt: Generated<Date>
  }
  clientApis: {
    clientId: string
    apiIdentifier: string
    scopes: string[] | null
  }
  tokenExchanges: {
    clientId: string
    apiIdentifier: string | null
    audienceClientId: string | null
    sourceClientId: string | null
    mode: 'impersonation' | 'delegation'
    scopes: string[] | null
    createdAt: Generated<Date>
  }
  authSessions: {
    idHash: Buffer
    clientId: string
    jkt: string | null
    parameters: Json
    createdAt: Generated<Date>
    expiresAt: Date
    consumedAt: Date | null
  }
  trustedIssuers: {
    issuer: string
    jwks: ColumnType<{ keys: Record<string, unknown>[] } | null, string | null, string | null>
    jwksUri: string | null
    algorithms: string[]
    subject: 'account' | 'username' | 'email'
    scopes: string[]
    maxLifetimeSeconds: number
    createdAt: Generated<Date>
  }
  trustedIssuerClients: { issuer: string; clientId: string }
  sessions: {
    uid: string
    idHash: Buffer
    previousIdHash: Buffer | null
    rotatedAt: Date | null
    idSealed: Buffer | null
    accountId: string | null
    signedInAt: Date | null
    acr: string | null
    amr: string[] | null
    transient: Generated<boolean>
    userAgent: string | null
    address: string | null
    seenAt: Date | null
    authorizations: Defaulted<Record<string, SessionAuthorization>>
    rest: Defaulted<Record<string, unknown>>
    createdAt: Date
    expiresAt: Date
  }
  grants: {
    id: string
    accountId: string
    clientId: string
    sessionUid: string | null
    scopes: Generated<string[]>
    claims: Generated<string[]>
    resources: Defaulted<Record<string, string>>
    rest: Defaulted<Record<string, unknown>>
    offline: Generated<boolean>
    parents: Generated<string[]>
    createdAt: Date
    expiresAt: Date
  }
  consents: {
    accountId: string
    clientId: string
    scopes: Generated<string[]>
    claims: Generated<string[]>
    resources: Defaulted<Record<string, string>>
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  interactions: {
    idHash: Buffer
    clientId: string | null
    prompt: string
    sessionUid: string | null
    sessionAccountId: string | null
    grantId: string | null
    loginAccountId: string | null
    result: ColumnType<Record<string, unknown> | null, string | null, string | null>
    progress: Defaulted<Record<string, unknown>>
    rest: Json
    createdAt: Date
    expiresAt: Date
    consumedAt: Date | null
  }
  authorizationCodes: TokenRow & {
    sessionUid: string | null
    expiresWithSession: Generated<boolean>
    redirectUri: string | null
    codeChallenge: string | null
    consumedAt: Date | null
  }
  refreshTokens: TokenRow & {
    sessionUid: string | null
    expiresWithSession: Generated<boolean>
    jkt: string | null
    rotations: Generated<number>
    successorHash: Buffer | null
    firstIssuedAt: Date
    consumedAt: Date | null
  }
  accessTokens: TokenRow & {
    sessionUid: string | null
    expiresWithSession: Generated<boolean>
    jkt: string | null
  }
  clientCredentials: Omit<TokenRow, 'grantId' | 'accountId'> & { jkt: string | null }
  deviceCodes: PendingTokenRow & { userCodeHash: Buffer; idSealed: Buffer; browser: string | null }
  backchannelAuthenticationRequests: PendingTokenRow & { idSealed: Buffer | null }
  pushedAuthorizationRequests: {
    idHash: Buffer
    rest: Json
    createdAt: Date
    expiresAt: Date
    consumedAt: Date | null
  }
  replayDetection: { idHash: Buffer; expiresAt: Date }
  postedRequests: {
    idHash: Buffer
    endpoint: string
    parameters: Json
    createdAt: Generated<Date>
    expiresAt: Date
  }
  logoutDeliveries: {
    sessionUid: string
    clientId: string
    accountId: string
    state: Generated<'pending' | 'told' | 'refused' | 'failed'>
    attempts: Generated<number>
    error: string | null
    askedAt: Generated<Date>
    attemptedAt: Date | null
    nextAttemptAt: Generated<Date>
  }
  signingKeys: {
    kid: string
    alg: 'RS256' | 'ES256' | 'EdDSA'
    state: 'next' | 'current' | 'previous' | 'retired'
    publicJwk: Json
    privateJwkSealed: Buffer
    createdAt: Generated<Date>
    activatedAt: Date | null
    stoppedAt: Date | null
    retiredAt: Date | null
  }
  providers: {
    id: string
    preset: string
    name: string
    issuer: string
    clientId: string
    secretSealed: Buffer | null
    appleTeamId: string | null
    appleKeyId: string | null
    scope: string
    trustEmail: Generated<boolean>
    tenants: Generated<string[]>
    roleMap: Defaulted<{ claim: string; value: string; role: string }[]>
    enabled: Generated<boolean>
    createdAt: Generated<Date>
    updatedAt: Generated<Date>
  }
  identities: {
    id: string
    accountId: string
    providerId: string
    issuer: string
    subject: string
    label: string
    createdAt: Generated<Date>
    lastUsedAt: Generated<Date>
  }
  identityRoles: { identityId: string; role: string }
  upstreamRequests: {
    idHash: Buffer
    providerId: string
    browser: string
    sealed: Buffer
    answerSealed: Buffer | null
    expiresAt: Date
  }
  upstreamProofs: { flowHash: Buffer; providerId: string; sealed: Buffer; expiresAt: Date }
  upstreamSessions: {
    id: string
    sessionUid: string | null
    accountId: string
    providerId: string
    issuer: string
    subject: string
    sid: string | null
    idTokenSealed: Buffer | null
    createdAt: Generated<Date>
    expiresAt: Date
  }
  lastingSecrets: { name: string; sealed: Buffer }
  versions: { name: string; version: Generated<string> }
  doctorProbes: { tokenHash: Buffer; expiresAt: Date }
  rateLimits: { key: string; points: Generated<number>; expire: string | null }
  auditEvents: {
    id: string
    at: Generated<Date>
    type: string
    actorKind: 'person' | 'client' | 'operator' | 'system'
    actorId: string | null
    accountId: string | null
    clientId: string | null
    address: string | null
    requestId: string | null
    detail: Defaulted<Record<string, unknown>>
  }
  refusals: {
    reference: string
    at: Generated<Date>
    endpoint: string
    clientId: string | null
    error: string
    detail: Defaulted<Record<string, unknown>>
  }
}

export type SessionAuthorization = { sid?: string; grantId?: string; persistsLogout?: boolean }

type TokenRow = {
  idHash: Buffer
  grantId: string
  clientId: string
  accountId: string
  scope: string | null
  rest: Defaulted<Record<string, unknown>>
  createdAt: Date
  expiresAt: Date
}

type PendingTokenRow = Omit<TokenRow, 'grantId' | 'accountId'> & {
  grantId: string | null
  accountId: string | null
  sessionUid: string | null
  expiresWithSession: Generated<boolean>
  consumedAt: Date | null
  intervalSeconds: Generated<number>
  polledAt: Date | null
  hurried: Generated<boolean>
}
