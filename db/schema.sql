-- Generated from the catalogs; "npm run schema" writes it anew.

create table access_tokens (
  id_hash bytea not null,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  jkt text,
  scope text,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint access_tokens_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX access_tokens_expires_at_idx ON access_tokens USING btree (expires_at);

create table account_roles (
  account_id uuid not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  constraint account_roles_pkey PRIMARY KEY (account_id, role),
  constraint everybody_is_a_user CHECK (role <> 'user'::text)
);
CREATE INDEX account_roles_role_idx ON account_roles USING btree (role);

create table accounts (
  id uuid not null,
  username text not null,
  username_skeleton text not null,
  status text not null,
  password_hash text,
  password_changed_at timestamp with time zone,
  email text,
  email_canonical text,
  email_verified_at timestamp with time zone,
  name text not null,
  given_name text not null,
  family_name text not null,
  picture_url text,
  locale text,
  zoneinfo text,
  disabled_reason text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  address jsonb,
  phone_number text,
  phone_number_verified_at timestamp with time zone,
  deletion_due_at timestamp with time zone,
  constraint accounts_pkey PRIMARY KEY (id),
  constraint accounts_address_check CHECK (jsonb_typeof(address) = 'object'::text AND address <> '{}'::jsonb),
  constraint accounts_email_canonical_key UNIQUE (email_canonical),
  constraint accounts_family_name_check CHECK (family_name <> ''::text),
  constraint accounts_given_name_check CHECK (given_name <> ''::text),
  constraint accounts_locale_check CHECK (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'::text),
  constraint accounts_name_check CHECK (name <> ''::text),
  constraint accounts_phone_number_check CHECK (phone_number ~ '^\+[1-9][0-9]{3,14}$'::text),
  constraint accounts_picture_url_check CHECK (picture_url ~ '^https?://'::text),
  constraint accounts_status_check CHECK (status = ANY (ARRAY['unverified'::text, 'active'::text, 'disabled'::text, 'deleted'::text])),
  constraint accounts_username_check CHECK (username ~ '^[a-z_][a-z0-9_-]{0,31}$'::text),
  constraint accounts_username_key UNIQUE (username),
  constraint accounts_username_skeleton_key UNIQUE (username_skeleton),
  constraint active_has_address CHECK (status <> 'active'::text OR email IS NOT NULL),
  constraint address_is_whole CHECK ((email IS NULL) = (email_canonical IS NULL) AND (email IS NULL) = (email_verified_at IS NULL)),
  constraint proven_phone_is_there CHECK (phone_number_verified_at IS NULL OR phone_number IS NOT NULL)
);
CREATE INDEX accounts_deletion_due_at_idx ON accounts USING btree (deletion_due_at) WHERE (deletion_due_at IS NOT NULL);

create table address_undos (
  id uuid not null,
  account_id uuid not null,
  email text not null,
  email_canonical text not null,
  token_hash bytea not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  expires_at timestamp with time zone not null,
  constraint address_undos_pkey PRIMARY KEY (id),
  constraint address_undos_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX address_undos_account_id_idx ON address_undos USING btree (account_id);
CREATE INDEX address_undos_expires_at_idx ON address_undos USING btree (expires_at);

create table admin_guard (
  is_only boolean not null default true,
  constraint admin_guard_pkey PRIMARY KEY (is_only),
  constraint admin_guard_is_only_check CHECK (is_only)
);

create table apis (
  identifier text not null,
  name text not null,
  scopes text[] not null default '{}'::text[],
  token_lifetime_seconds integer not null default 600,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  token_format text not null default 'jwt'::text,
  token_alg text not null default 'ES256'::text,
  built_in boolean not null default false,
  constraint apis_pkey PRIMARY KEY (identifier),
  constraint apis_token_alg_check CHECK (token_alg = ANY (ARRAY['RS256'::text, 'ES256'::text, 'EdDSA'::text])),
  constraint apis_token_format_check CHECK (token_format = ANY (ARRAY['jwt'::text, 'opaque'::text])),
  constraint apis_token_lifetime_seconds_check CHECK (token_lifetime_seconds >= 30 AND token_lifetime_seconds <= 86400)
);
CREATE UNIQUE INDEX apis_built_in_idx ON apis USING btree (built_in) WHERE built_in;

create table applied_objects (
  kind text not null,
  id text not null,
  declared json not null,
  created boolean not null,
  place integer not null,
  applied_at timestamp with time zone not null default now(),
  constraint applied_objects_pkey PRIMARY KEY (kind, id)
);

create table audit_events (
  id uuid not null,
  at timestamp with time zone not null default now(),
  type text not null,
  actor_kind text not null,
  actor_id text,
  account_id uuid,
  client_id text,
  address inet,
  request_id text,
  detail jsonb not null default '{}'::jsonb,
  constraint audit_events_pkey PRIMARY KEY (id),
  constraint audit_events_actor_kind_check CHECK (actor_kind = ANY (ARRAY['person'::text, 'client'::text, 'operator'::text, 'system'::text]))
);
CREATE INDEX audit_events_account_id_at_idx ON audit_events USING btree (account_id, at);
CREATE INDEX audit_events_at_idx ON audit_events USING btree (at);
CREATE INDEX audit_events_client_id_at_idx ON audit_events USING btree (client_id, at);

create table auth_sessions (
  id_hash bytea not null,
  client_id text not null,
  jkt text,
  parameters jsonb not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint auth_sessions_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX auth_sessions_expires_at_idx ON auth_sessions USING btree (expires_at);

create table authenticators (
  id uuid not null,
  account_id uuid not null,
  name text not null,
  secret_sealed bytea not null,
  last_step integer not null,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone,
  constraint authenticators_pkey PRIMARY KEY (id),
  constraint authenticators_name_check CHECK (char_length(name) >= 1 AND char_length(name) <= 60)
);
CREATE INDEX authenticators_account_id_idx ON authenticators USING btree (account_id);

create table authorization_codes (
  id_hash bytea not null,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  redirect_uri text,
  code_challenge text,
  scope text,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint authorization_codes_pkey PRIMARY KEY (id_hash)
) with (fillfactor=80);
CREATE INDEX authorization_codes_expires_at_idx ON authorization_codes USING btree (expires_at);

create table authorization_types (
  name text not null,
  api_identifier text not null,
  schema json not null,
  created_at timestamp with time zone not null default now(),
  constraint authorization_types_pkey PRIMARY KEY (name),
  constraint authorization_types_name_check CHECK (name ~ '^[\x21-\x7e]{1,100}$'::text)
);
CREATE INDEX authorization_types_api_identifier_idx ON authorization_types USING btree (api_identifier);

create table backchannel_authentication_requests (
  id_hash bytea not null,
  grant_id text,
  client_id text not null,
  account_id uuid,
  session_uid text,
  expires_with_session boolean not null default false,
  scope text,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  id_sealed bytea,
  interval_seconds integer not null default 5,
  polled_at timestamp with time zone,
  hurried boolean not null default false,
  constraint backchannel_authentication_requests_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX backchannel_authentication_requests_account_id_idx ON backchannel_authentication_requests USING btree (account_id) WHERE (grant_id IS NULL);
CREATE INDEX backchannel_authentication_requests_expires_at_idx ON backchannel_authentication_requests USING btree (expires_at);

create table blocks (
  id text not null,
  network cidr not null,
  kind text not null,
  scope text not null default 'entry'::text,
  reason text not null,
  created_by text not null,
  times integer not null default 1,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  constraint blocks_pkey PRIMARY KEY (id),
  constraint behaviour_ends CHECK (kind = 'rule'::text OR expires_at IS NOT NULL AND scope = 'entry'::text),
  constraint blocks_kind_check CHECK (kind = ANY (ARRAY['rule'::text, 'behaviour'::text])),
  constraint blocks_scope_check CHECK (scope = ANY (ARRAY['entry'::text, 'all'::text]))
);
CREATE INDEX blocks_expires_at_idx ON blocks USING btree (expires_at);
CREATE UNIQUE INDEX blocks_one_of_behaviour ON blocks USING btree (network) WHERE (kind = 'behaviour'::text);
CREATE UNIQUE INDEX blocks_one_rule ON blocks USING btree (network, scope) WHERE (kind = 'rule'::text);

create table client_access (
  client_id text not null,
  role text,
  group_name text,
  constraint client_access_client_id_role_group_name_key UNIQUE NULLS NOT DISTINCT (client_id, role, group_name),
  constraint one_of_both CHECK (num_nonnulls(role, group_name) = 1)
);
CREATE INDEX client_access_group_name_idx ON client_access USING btree (group_name);
CREATE INDEX client_access_role_idx ON client_access USING btree (role);

create table client_apis (
  client_id text not null,
  api_identifier text not null,
  scopes text[],
  constraint client_apis_pkey PRIMARY KEY (client_id, api_identifier)
);
CREATE INDEX client_apis_api_identifier_idx ON client_apis USING btree (api_identifier);

create table client_credentials (
  id_hash bytea not null,
  client_id text not null,
  jkt text,
  scope text,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint client_credentials_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX client_credentials_expires_at_idx ON client_credentials USING btree (expires_at);

create table client_roles (
  client_id text not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  constraint client_roles_pkey PRIMARY KEY (client_id, role),
  constraint client_roles_role_check CHECK (role <> 'user'::text)
);
CREATE INDEX client_roles_role_idx ON client_roles USING btree (role);

create table client_secrets (
  hash bytea not null,
  client_id text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  constraint client_secrets_pkey PRIMARY KEY (hash)
);
CREATE INDEX client_secrets_client_id_idx ON client_secrets USING btree (client_id);

create table clients (
  id text not null,
  name text not null,
  preset text not null,
  metadata jsonb not null,
  first_party boolean not null default false,
  pkce_required boolean not null default true,
  ignores_unknown_resource boolean not null default false,
  disabled_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  profile text,
  access_token_seconds integer,
  refresh_idle_seconds integer,
  refresh_total_seconds integer,
  refresh_rotation boolean not null default true,
  certificate_authorities text,
  registered_with text,
  management_hash bytea,
  userinfo_acr text,
  userinfo_max_age_seconds integer,
  authorization_challenge boolean not null default false,
  second_factor text,
  second_factors text[],
  claim_names jsonb,
  constraint clients_pkey PRIMARY KEY (id),
  constraint clients_access_token_seconds_check CHECK (access_token_seconds >= 30 AND access_token_seconds <= 86400),
  constraint clients_id_check CHECK (id ~ '^[A-Za-z0-9_-]{1,128}$'::text),
  constraint clients_management_hash_key UNIQUE (management_hash),
  constraint clients_name_check CHECK (name <> ''::text),
  constraint clients_profile_check CHECK (profile = ANY (ARRAY['fapi2'::text, 'fapi2-message-signing'::text])),
  constraint clients_refresh_idle_seconds_check CHECK (refresh_idle_seconds >= 60 AND refresh_idle_seconds <= 31536000),
  constraint clients_refresh_total_seconds_check CHECK (refresh_total_seconds >= 60 AND refresh_total_seconds <= 31536000),
  constraint clients_second_factor_check CHECK (second_factor = ANY (ARRAY['asked'::text, 'enrolled'::text, 'new-device'::text, 'always'::text])),
  constraint clients_userinfo_acr_check CHECK (userinfo_acr = ANY (ARRAY['1fa'::text, '2fa'::text, 'phr'::text])),
  constraint clients_userinfo_max_age_seconds_check CHECK (userinfo_max_age_seconds >= 1 AND userinfo_max_age_seconds <= 31536000),
  constraint idle_within_total CHECK (refresh_idle_seconds <= refresh_total_seconds),
  constraint registered_is_managed CHECK ((registered_with IS NULL) = (management_hash IS NULL))
);
CREATE INDEX clients_registered_name ON clients USING btree (lower(name)) WHERE (registered_with IS NOT NULL);
CREATE INDEX clients_registered_with_idx ON clients USING btree (registered_with);
CREATE UNIQUE INDEX clients_name ON clients USING btree (lower(name)) WHERE (registered_with IS NULL);

create table consents (
  account_id uuid not null,
  client_id text not null,
  scopes text[] not null default '{}'::text[],
  claims text[] not null default '{}'::text[],
  resources jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint consents_pkey PRIMARY KEY (account_id, client_id)
);
CREATE INDEX consents_client_id_idx ON consents USING btree (client_id);

create table device_codes (
  id_hash bytea not null,
  user_code_hash bytea not null,
  id_sealed bytea not null,
  grant_id text,
  client_id text not null,
  account_id uuid,
  session_uid text,
  expires_with_session boolean not null default false,
  scope text,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  browser text,
  interval_seconds integer not null default 5,
  polled_at timestamp with time zone,
  hurried boolean not null default false,
  constraint device_codes_pkey PRIMARY KEY (id_hash),
  constraint device_codes_user_code_hash_key UNIQUE (user_code_hash)
);
CREATE INDEX device_codes_expires_at_idx ON device_codes USING btree (expires_at);

create table doctor_probes (
  token_hash bytea not null,
  expires_at timestamp with time zone not null,
  constraint doctor_probes_pkey PRIMARY KEY (token_hash)
);
CREATE INDEX doctor_probes_expires_at_idx ON doctor_probes USING btree (expires_at);

create table grants (
  id text not null,
  account_id uuid not null,
  client_id text not null,
  session_uid text,
  scopes text[] not null default '{}'::text[],
  claims text[] not null default '{}'::text[],
  resources jsonb not null default '{}'::jsonb,
  rest jsonb not null default '{}'::jsonb,
  offline boolean not null default false,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  parents text[] not null default '{}'::text[],
  constraint grants_pkey PRIMARY KEY (id)
);
CREATE INDEX grants_account_id_client_id_idx ON grants USING btree (account_id, client_id);
CREATE INDEX grants_expires_at_idx ON grants USING btree (expires_at);
CREATE INDEX grants_session_uid_idx ON grants USING btree (session_uid);

create table group_members (
  group_name text not null,
  account_id uuid not null,
  created_at timestamp with time zone not null default now(),
  constraint group_members_pkey PRIMARY KEY (account_id, group_name)
);
CREATE INDEX group_members_group_name_idx ON group_members USING btree (group_name);

create table group_roles (
  group_name text not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  constraint group_roles_pkey PRIMARY KEY (group_name, role),
  constraint group_roles_role_check CHECK (role <> 'user'::text)
);
CREATE INDEX group_roles_role_idx ON group_roles USING btree (role);

create table groups (
  name text not null,
  description text not null default ''::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint groups_pkey PRIMARY KEY (name),
  constraint groups_description_check CHECK (length(description) <= 500),
  constraint groups_name_check CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9 _.:-]{0,62}[A-Za-z0-9_.:-])?$'::text)
);
CREATE UNIQUE INDEX groups_name_key ON groups USING btree (lower(name));

create table idempotency_keys (
  caller text not null,
  key_hash bytea not null,
  fingerprint bytea not null,
  attempt uuid not null,
  started_at timestamp with time zone not null default now(),
  answer bytea,
  expires_at timestamp with time zone not null,
  constraint idempotency_keys_pkey PRIMARY KEY (caller, key_hash)
);
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys USING btree (expires_at);

create table identities (
  id uuid not null,
  account_id uuid not null,
  provider_id text not null,
  issuer text not null,
  subject text not null,
  label text not null,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone not null default now(),
  constraint identities_pkey PRIMARY KEY (id),
  constraint identities_provider_id_issuer_subject_key UNIQUE (provider_id, issuer, subject)
);
CREATE INDEX identities_account_id_idx ON identities USING btree (account_id);

create table identity_roles (
  identity_id uuid not null,
  role text not null,
  constraint identity_roles_pkey PRIMARY KEY (identity_id, role)
);

create table interactions (
  id_hash bytea not null,
  client_id text,
  prompt text not null,
  session_uid text,
  session_account_id uuid,
  grant_id text,
  login_account_id uuid,
  result jsonb,
  progress jsonb not null default '{}'::jsonb,
  rest jsonb not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint interactions_pkey PRIMARY KEY (id_hash)
) with (fillfactor=80);
CREATE INDEX interactions_expires_at_idx ON interactions USING btree (expires_at);

create table invites (
  id text not null,
  code_hash bytea not null,
  uses integer not null,
  used integer not null default 0,
  roles text[] not null default '{}'::text[],
  email text,
  email_canonical text,
  note text,
  created_by text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint invites_pkey PRIMARY KEY (id),
  constraint address_is_whole CHECK ((email IS NULL) = (email_canonical IS NULL)),
  constraint invites_check CHECK (used >= 0 AND used <= uses),
  constraint invites_code_hash_key UNIQUE (code_hash),
  constraint invites_uses_check CHECK (uses >= 1 AND uses <= 1000000)
);

create table lasting_secrets (
  name text not null,
  sealed bytea not null,
  constraint lasting_secrets_pkey PRIMARY KEY (name)
);

create table logout_deliveries (
  session_uid text not null,
  client_id text not null,
  account_id uuid not null,
  state text not null default 'pending'::text,
  attempts integer not null default 0,
  error text,
  asked_at timestamp with time zone not null default now(),
  attempted_at timestamp with time zone,
  next_attempt_at timestamp with time zone not null default now(),
  constraint logout_deliveries_pkey PRIMARY KEY (session_uid, client_id),
  constraint logout_deliveries_state_check CHECK (state = ANY (ARRAY['pending'::text, 'told'::text, 'refused'::text, 'failed'::text]))
);
CREATE INDEX logout_deliveries_asked_at_idx ON logout_deliveries USING btree (asked_at);
CREATE INDEX logout_deliveries_client_id_next_attempt_at_idx ON logout_deliveries USING btree (client_id, next_attempt_at) WHERE (state = 'pending'::text);

create table mail_proofs (
  id uuid not null,
  purpose text not null,
  account_id uuid,
  email text not null,
  email_canonical text not null,
  locale text not null,
  mail_number integer not null default 1,
  code_hash bytea,
  token_hash bytea,
  proof_expires_at timestamp with time zone not null,
  guesses integer not null default 0,
  next_mail_at timestamp with time zone not null,
  proven_at timestamp with time zone,
  consumed_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint mail_proofs_pkey PRIMARY KEY (id),
  constraint mail_proofs_purpose_check CHECK (purpose = ANY (ARRAY['reset-password'::text, 'change-address'::text])),
  constraint mail_proofs_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX mail_proofs_account_id_idx1 ON mail_proofs USING btree (account_id);
CREATE INDEX mail_proofs_expires_at_idx ON mail_proofs USING btree (expires_at);
CREATE UNIQUE INDEX mail_proofs_account_id_idx ON mail_proofs USING btree (account_id) WHERE (purpose = 'change-address'::text);

create table metadata_hosts (
  host text not null,
  scopes text[] not null,
  created_at timestamp with time zone not null default now(),
  apis text[] not null default '{}'::text[],
  constraint metadata_hosts_pkey PRIMARY KEY (host),
  constraint metadata_hosts_host_check CHECK (host <> ''::text)
);

create table passkey_challenges (
  id_hash bytea not null,
  purpose text not null,
  bound_to bytea not null,
  account_id uuid,
  expires_at timestamp with time zone not null,
  constraint passkey_challenges_pkey PRIMARY KEY (id_hash),
  constraint passkey_challenges_purpose_check CHECK (purpose = ANY (ARRAY['add'::text, 'sign-in'::text]))
);
CREATE INDEX passkey_challenges_account_id_idx ON passkey_challenges USING btree (account_id);
CREATE INDEX passkey_challenges_expires_at_idx ON passkey_challenges USING btree (expires_at);

create table passkey_declines (
  account_id uuid not null,
  device_hash bytea not null,
  declined_at timestamp with time zone not null default now(),
  constraint passkey_declines_pkey PRIMARY KEY (account_id, device_hash)
);

create table passkey_domain (
  is_only boolean not null default true,
  rp_id text not null,
  constraint passkey_domain_pkey PRIMARY KEY (is_only),
  constraint passkey_domain_is_only_check CHECK (is_only)
);

create table passkey_holders (
  account_id uuid not null,
  user_handle bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint passkey_holders_pkey PRIMARY KEY (account_id),
  constraint passkey_holders_user_handle_check CHECK (octet_length(user_handle) = 32),
  constraint passkey_holders_user_handle_key UNIQUE (user_handle)
);

create table passkey_origins (
  origin text not null,
  created_at timestamp with time zone not null default now(),
  constraint passkey_origins_pkey PRIMARY KEY (origin),
  constraint passkey_origins_origin_check CHECK (origin ~ '^https://[a-z0-9.-]+(:[0-9]+)?$'::text)
);

create table passkeys (
  id uuid not null,
  account_id uuid not null,
  credential_id bytea not null,
  public_key bytea not null,
  counter bigint not null,
  transports text[] not null default '{}'::text[],
  backup_eligible boolean not null,
  backed_up boolean not null,
  aaguid uuid not null,
  rp_id text not null,
  name text not null default ''::text,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone,
  constraint passkeys_pkey PRIMARY KEY (id),
  constraint passkeys_check CHECK (backup_eligible OR NOT backed_up),
  constraint passkeys_counter_check CHECK (counter >= 0),
  constraint passkeys_credential_id_check CHECK (octet_length(credential_id) >= 1 AND octet_length(credential_id) <= 1023),
  constraint passkeys_credential_id_key UNIQUE (credential_id)
);
CREATE INDEX passkeys_account_id_idx ON passkeys USING btree (account_id);

create table pictures (
  id text not null,
  account_id uuid not null,
  bytes bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint pictures_pkey PRIMARY KEY (id),
  constraint pictures_account_id_key UNIQUE (account_id),
  constraint pictures_bytes_check CHECK (length(bytes) < 200000)
);

create table posted_requests (
  id_hash bytea not null,
  endpoint text not null,
  parameters jsonb not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint posted_requests_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX posted_requests_expires_at_idx ON posted_requests USING btree (expires_at);

create table providers (
  id text not null,
  preset text not null,
  name text not null,
  issuer text not null,
  client_id text not null,
  secret_sealed bytea,
  apple_team_id text,
  apple_key_id text,
  scope text not null,
  trust_email boolean not null default false,
  tenants text[] not null default '{}'::text[],
  role_map jsonb not null default '[]'::jsonb,
  enabled boolean not null default true,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint providers_pkey PRIMARY KEY (id),
  constraint providers_id_check CHECK (id ~ '^[a-z][a-z0-9-]{0,39}$'::text),
  constraint providers_name_check CHECK (name <> ''::text)
);

create table pushed_authorization_requests (
  id_hash bytea not null,
  rest jsonb not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint pushed_authorization_requests_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX pushed_authorization_requests_expires_at_idx ON pushed_authorization_requests USING btree (expires_at);

create table rate_limits (
  key character varying(255) not null,
  points integer not null default 0,
  expire bigint,
  constraint rate_limits_pkey PRIMARY KEY (key)
);
CREATE INDEX rate_limits_expire_idx ON rate_limits USING btree (expire);

create table recovery_codes (
  code_hash bytea not null,
  account_id uuid not null,
  created_at timestamp with time zone not null default now(),
  used_at timestamp with time zone,
  constraint recovery_codes_pkey PRIMARY KEY (code_hash)
);
CREATE INDEX recovery_codes_account_id_idx ON recovery_codes USING btree (account_id);

create table refresh_tokens (
  id_hash bytea not null,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  jkt text,
  scope text,
  rotations integer not null default 0,
  successor_hash bytea,
  rest jsonb not null default '{}'::jsonb,
  first_issued_at timestamp with time zone not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  constraint refresh_tokens_pkey PRIMARY KEY (id_hash)
) with (fillfactor=80);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens USING btree (expires_at);

create table refusals (
  reference text not null,
  at timestamp with time zone not null default now(),
  endpoint text not null,
  client_id text,
  error text not null,
  detail jsonb not null default '{}'::jsonb,
  constraint refusals_pkey PRIMARY KEY (reference)
);
CREATE INDEX refusals_at_idx ON refusals USING btree (at);

create table registration_tokens (
  id text not null,
  name text not null,
  token_hash bytea not null,
  uses_left integer,
  used integer not null default 0,
  scopes text[] not null,
  grant_types text[] not null,
  redirect_hosts text[] not null default '{}'::text[],
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  apis text[] not null default '{}'::text[],
  constraint registration_tokens_pkey PRIMARY KEY (id),
  constraint registration_tokens_grant_types_check CHECK (cardinality(grant_types) > 0),
  constraint registration_tokens_name_check CHECK (name <> ''::text),
  constraint registration_tokens_token_hash_key UNIQUE (token_hash),
  constraint registration_tokens_uses_left_check CHECK (uses_left >= 0)
);
CREATE UNIQUE INDEX registration_tokens_name ON registration_tokens USING btree (lower(name)) WHERE (revoked_at IS NULL);

create table registration_transitions (
  registration_id uuid not null,
  at timestamp with time zone not null default clock_timestamp(),
  from_status text,
  to_status text not null,
  error text
);
CREATE INDEX registration_transitions_registration_id_at_idx ON registration_transitions USING btree (registration_id, at);

create table registrations (
  id uuid not null,
  handle_hash bytea not null,
  account_id uuid,
  username text not null,
  email text not null,
  email_canonical text not null,
  name text not null,
  locale text not null,
  password_hash text,
  status text not null,
  last_step text not null,
  error text,
  mail_number integer not null default 0,
  code_hash bytea,
  token_hash bytea,
  proof_expires_at timestamp with time zone,
  guesses integer not null default 0,
  next_mail_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  verified_at timestamp with time zone,
  expires_at timestamp with time zone not null,
  invite_id text,
  verified_by text,
  constraint registrations_pkey PRIMARY KEY (id),
  constraint registrations_handle_hash_key UNIQUE (handle_hash),
  constraint registrations_status_check CHECK (status = ANY (ARRAY['initiated'::text, 'username_validated'::text, 'user_created'::text, 'system_user_created'::text, 'mail_configured'::text, 'verification_sent'::text, 'verified'::text, 'failed'::text])),
  constraint registrations_token_hash_key UNIQUE (token_hash),
  constraint registrations_verified_by_check CHECK (verified_by = ANY (ARRAY['code'::text, 'link'::text]))
);
CREATE INDEX registrations_account_id_idx ON registrations USING btree (account_id);
CREATE INDEX registrations_expires_at_idx ON registrations USING btree (expires_at);
CREATE INDEX registrations_invite_id_idx ON registrations USING btree (invite_id) WHERE (invite_id IS NOT NULL);

create table remembered_devices (
  token_hash bytea not null,
  account_id uuid not null,
  factor text not null,
  address inet,
  user_agent text,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint remembered_devices_pkey PRIMARY KEY (token_hash)
);
CREATE INDEX remembered_devices_account_id_idx ON remembered_devices USING btree (account_id);
CREATE INDEX remembered_devices_expires_at_idx ON remembered_devices USING btree (expires_at);

create table replay_detection (
  id_hash bytea not null,
  expires_at timestamp with time zone not null,
  constraint replay_detection_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX replay_detection_expires_at_idx ON replay_detection USING btree (expires_at);

create table roles (
  id text not null,
  name text not null,
  client_id text,
  description text not null default ''::text,
  permissions text[] not null default '{}'::text[],
  built_in boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint roles_pkey PRIMARY KEY (id),
  constraint id_says_whose CHECK (id =
CASE
    WHEN client_id IS NULL THEN name
    ELSE (client_id || '/'::text) || name
END),
  constraint roles_description_check CHECK (length(description) <= 500),
  constraint roles_name_check CHECK (name ~ '^[a-z][a-z0-9_.:-]{0,63}$'::text),
  constraint roles_permissions_check CHECK (cardinality(permissions) <= 200)
);
CREATE INDEX roles_client_id_idx ON roles USING btree (client_id);

create table service_settings (
  account_id uuid not null,
  client_id text not null,
  settings json not null,
  version uuid not null,
  updated_at timestamp with time zone not null default now(),
  constraint service_settings_pkey PRIMARY KEY (account_id, client_id)
);
CREATE INDEX service_settings_client_id_idx ON service_settings USING btree (client_id);

create table sessions (
  uid text not null,
  id_hash bytea not null,
  previous_id_hash bytea,
  rotated_at timestamp with time zone,
  id_sealed bytea,
  account_id uuid,
  signed_in_at timestamp with time zone,
  acr text,
  amr text[],
  transient boolean not null default false,
  authorizations jsonb not null default '{}'::jsonb,
  rest jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  user_agent text,
  address inet,
  seen_at timestamp with time zone,
  constraint sessions_pkey PRIMARY KEY (uid),
  constraint sessions_id_hash_key UNIQUE (id_hash),
  constraint sessions_previous_id_hash_key UNIQUE (previous_id_hash)
) with (fillfactor=80);
CREATE INDEX sessions_account_id_idx ON sessions USING btree (account_id);
CREATE INDEX sessions_expires_at_idx ON sessions USING btree (expires_at);

create table settings (
  name text not null,
  value jsonb not null,
  updated_at timestamp with time zone not null default now(),
  constraint settings_pkey PRIMARY KEY (name)
);

create table sign_in_codes (
  flow_hash bytea not null,
  account_id uuid not null,
  email_canonical text not null,
  number integer not null,
  code_hash bytea not null,
  guesses integer not null default 0,
  next_mail_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint sign_in_codes_pkey PRIMARY KEY (flow_hash)
);
CREATE INDEX sign_in_codes_account_id_idx ON sign_in_codes USING btree (account_id);
CREATE INDEX sign_in_codes_expires_at_idx ON sign_in_codes USING btree (expires_at);

create table signing_keys (
  kid text not null,
  alg text not null,
  state text not null,
  public_jwk jsonb not null,
  private_jwk_sealed bytea not null,
  created_at timestamp with time zone not null default now(),
  activated_at timestamp with time zone,
  retired_at timestamp with time zone,
  stopped_at timestamp with time zone,
  constraint signing_keys_pkey PRIMARY KEY (kid),
  constraint signing_keys_alg_check CHECK (alg = ANY (ARRAY['RS256'::text, 'ES256'::text, 'EdDSA'::text])),
  constraint signing_keys_retired_check CHECK ((state = 'retired'::text) = (retired_at IS NOT NULL)),
  constraint signing_keys_state_check CHECK (state = ANY (ARRAY['next'::text, 'current'::text, 'previous'::text, 'retired'::text])),
  constraint signing_keys_stopped_check CHECK ((state = ANY (ARRAY['previous'::text, 'retired'::text])) = (stopped_at IS NOT NULL))
);
CREATE UNIQUE INDEX signing_keys_one_current ON signing_keys USING btree (alg) WHERE (state = 'current'::text);
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys USING btree (alg) WHERE (state = 'next'::text);

create table token_exchanges (
  client_id text not null,
  api_identifier text,
  audience_client_id text,
  source_client_id text,
  mode text not null,
  scopes text[],
  created_at timestamp with time zone not null default now(),
  constraint token_exchanges_check CHECK (num_nonnulls(api_identifier, audience_client_id) = 1),
  constraint token_exchanges_client_id_api_identifier_audience_client_id_key UNIQUE NULLS NOT DISTINCT (client_id, api_identifier, audience_client_id, source_client_id),
  constraint token_exchanges_mode_check CHECK (mode = ANY (ARRAY['impersonation'::text, 'delegation'::text]))
);
CREATE INDEX token_exchanges_api_identifier_idx ON token_exchanges USING btree (api_identifier);
CREATE INDEX token_exchanges_audience_client_id_idx ON token_exchanges USING btree (audience_client_id);
CREATE INDEX token_exchanges_source_client_id_idx ON token_exchanges USING btree (source_client_id);

create table trusted_issuer_clients (
  issuer text not null,
  client_id text not null,
  constraint trusted_issuer_clients_pkey PRIMARY KEY (issuer, client_id)
);
CREATE INDEX trusted_issuer_clients_client_id_idx ON trusted_issuer_clients USING btree (client_id);

create table trusted_issuers (
  issuer text not null,
  jwks jsonb,
  jwks_uri text,
  algorithms text[] not null,
  subject text not null,
  scopes text[] not null,
  max_lifetime_seconds integer not null,
  created_at timestamp with time zone not null default now(),
  constraint trusted_issuers_pkey PRIMARY KEY (issuer),
  constraint trusted_issuers_check CHECK (num_nonnulls(jwks, jwks_uri) = 1),
  constraint trusted_issuers_max_lifetime_seconds_check CHECK (max_lifetime_seconds >= 10 AND max_lifetime_seconds <= 3600),
  constraint trusted_issuers_subject_check CHECK (subject = ANY (ARRAY['account'::text, 'username'::text, 'email'::text]))
);

create table upstream_proofs (
  flow_hash bytea not null,
  provider_id text not null,
  sealed bytea not null,
  expires_at timestamp with time zone not null,
  constraint upstream_proofs_pkey PRIMARY KEY (flow_hash)
);
CREATE INDEX upstream_proofs_expires_at_idx ON upstream_proofs USING btree (expires_at);

create table upstream_requests (
  id_hash bytea not null,
  provider_id text not null,
  browser text not null,
  sealed bytea not null,
  answer_sealed bytea,
  expires_at timestamp with time zone not null,
  constraint upstream_requests_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX upstream_requests_expires_at_idx ON upstream_requests USING btree (expires_at);

create table upstream_sessions (
  id uuid not null,
  session_uid text,
  account_id uuid not null,
  provider_id text not null,
  issuer text not null,
  subject text not null,
  sid text,
  id_token_sealed bytea,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint upstream_sessions_pkey PRIMARY KEY (id)
);
CREATE INDEX upstream_sessions_account_id_idx ON upstream_sessions USING btree (account_id);
CREATE INDEX upstream_sessions_expires_at_idx ON upstream_sessions USING btree (expires_at);
CREATE INDEX upstream_sessions_provider_id_subject_idx ON upstream_sessions USING btree (provider_id, subject);
CREATE INDEX upstream_sessions_session_uid_idx ON upstream_sessions USING btree (session_uid);

create table versions (
  name text not null,
  version bigint not null default 1,
  constraint versions_pkey PRIMARY KEY (name)
);

create table webhook_deliveries (
  id uuid not null default gen_random_uuid(),
  webhook_id text not null,
  type text not null,
  body text not null,
  state text not null default 'pending'::text,
  attempts integer not null default 0,
  error text,
  created_at timestamp with time zone not null default now(),
  attempted_at timestamp with time zone,
  next_attempt_at timestamp with time zone not null default now(),
  settled_at timestamp with time zone,
  constraint webhook_deliveries_pkey PRIMARY KEY (id),
  constraint webhook_deliveries_state_check CHECK (state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text]))
);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries USING btree (webhook_id, next_attempt_at) WHERE (state = 'pending'::text);
CREATE INDEX webhook_deliveries_settled_at_idx ON webhook_deliveries USING btree (settled_at);
CREATE INDEX webhook_deliveries_webhook_id_created_at_idx ON webhook_deliveries USING btree (webhook_id, created_at);

create table webhooks (
  id text not null,
  url text not null,
  events text[] not null,
  note text,
  secret_sealed bytea not null,
  old_secret_sealed bytea,
  old_secret_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  disabled_at timestamp with time zone,
  overflowed_at timestamp with time zone,
  constraint webhooks_pkey PRIMARY KEY (id),
  constraint old_secret_ends CHECK ((old_secret_sealed IS NULL) = (old_secret_until IS NULL)),
  constraint webhooks_events_check CHECK (cardinality(events) > 0),
  constraint webhooks_url_check CHECK (url ~ '^https?://'::text)
);

alter table account_roles add constraint account_roles_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table account_roles add constraint account_roles_role_fkey FOREIGN KEY (role) REFERENCES roles(id) ON DELETE CASCADE;
alter table address_undos add constraint address_undos_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table authenticators add constraint authenticators_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table authorization_types add constraint authorization_types_api_identifier_fkey FOREIGN KEY (api_identifier) REFERENCES apis(identifier) ON DELETE CASCADE;
alter table client_access add constraint client_access_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table client_access add constraint client_access_group_name_fkey FOREIGN KEY (group_name) REFERENCES groups(name);
alter table client_access add constraint client_access_role_fkey FOREIGN KEY (role) REFERENCES roles(id);
alter table client_apis add constraint client_apis_api_identifier_fkey FOREIGN KEY (api_identifier) REFERENCES apis(identifier) ON DELETE CASCADE;
alter table client_apis add constraint client_apis_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table client_roles add constraint client_roles_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table client_roles add constraint client_roles_role_fkey FOREIGN KEY (role) REFERENCES roles(id) ON DELETE CASCADE;
alter table client_secrets add constraint client_secrets_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table clients add constraint clients_registered_with_fkey FOREIGN KEY (registered_with) REFERENCES registration_tokens(id);
alter table group_members add constraint group_members_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table group_members add constraint group_members_group_name_fkey FOREIGN KEY (group_name) REFERENCES groups(name) ON DELETE CASCADE;
alter table group_roles add constraint group_roles_group_name_fkey FOREIGN KEY (group_name) REFERENCES groups(name) ON DELETE CASCADE;
alter table group_roles add constraint group_roles_role_fkey FOREIGN KEY (role) REFERENCES roles(id) ON DELETE CASCADE;
alter table identities add constraint identities_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table identities add constraint identities_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE CASCADE;
alter table identity_roles add constraint identity_roles_identity_id_fkey FOREIGN KEY (identity_id) REFERENCES identities(id) ON DELETE CASCADE;
alter table identity_roles add constraint identity_roles_role_fkey FOREIGN KEY (role) REFERENCES roles(id) ON DELETE CASCADE;
alter table mail_proofs add constraint mail_proofs_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table passkey_challenges add constraint passkey_challenges_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table passkey_declines add constraint passkey_declines_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table passkey_holders add constraint passkey_holders_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table passkeys add constraint passkeys_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table pictures add constraint pictures_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table recovery_codes add constraint recovery_codes_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table registration_transitions add constraint registration_transitions_registration_id_fkey FOREIGN KEY (registration_id) REFERENCES registrations(id) ON DELETE CASCADE;
alter table registrations add constraint registrations_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE SET NULL;
alter table registrations add constraint registrations_invite_id_fkey FOREIGN KEY (invite_id) REFERENCES invites(id) ON DELETE SET NULL;
alter table remembered_devices add constraint remembered_devices_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table roles add constraint roles_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table service_settings add constraint service_settings_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table service_settings add constraint service_settings_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table sign_in_codes add constraint sign_in_codes_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table token_exchanges add constraint token_exchanges_api_identifier_fkey FOREIGN KEY (api_identifier) REFERENCES apis(identifier) ON DELETE CASCADE;
alter table token_exchanges add constraint token_exchanges_audience_client_id_fkey FOREIGN KEY (audience_client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table token_exchanges add constraint token_exchanges_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table token_exchanges add constraint token_exchanges_source_client_id_fkey FOREIGN KEY (source_client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table trusted_issuer_clients add constraint trusted_issuer_clients_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE;
alter table trusted_issuer_clients add constraint trusted_issuer_clients_issuer_fkey FOREIGN KEY (issuer) REFERENCES trusted_issuers(issuer) ON DELETE CASCADE;
alter table upstream_proofs add constraint upstream_proofs_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE CASCADE;
alter table upstream_requests add constraint upstream_requests_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE CASCADE;
alter table upstream_sessions add constraint upstream_sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts(id) ON DELETE CASCADE;
alter table upstream_sessions add constraint upstream_sessions_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE CASCADE;
alter table webhook_deliveries add constraint webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks(id) ON DELETE CASCADE;

create view held_roles as
 SELECT account_roles.account_id,
    account_roles.role
   FROM account_roles
UNION
 SELECT m.account_id,
    r.role
   FROM group_members m
     JOIN group_roles r ON r.group_name = m.group_name;

CREATE OR REPLACE FUNCTION audit_event_stays()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  -- audit/retention.ts, by the age that an operator has set.
  if tg_op = 'DELETE' and current_setting('idp.audit', true) = 'retention' then
    return old;
  end if;
  -- accounts/leaving.ts: what happened stays, without whose it was.
  if tg_op = 'UPDATE' and current_setting('idp.audit', true) = 'erasure'
    and (new.id, new.at, new.type, new.actor_kind, new.actor_id, new.account_id, new.client_id)
      is not distinct from (old.id, old.at, old.type, old.actor_kind, old.actor_id, old.account_id, old.client_id)
    and new.address is null and new.request_id is null and new.detail = '{}'
  then
    return new;
  end if;
  raise exception 'audit events stay as they are' using errcode = '55000';
end $function$
;

CREATE OR REPLACE FUNCTION keep_an_admin()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_table_name = 'accounts' then
    if not exists (select from held_roles where account_id = new.id and role = 'admin') then return null; end if;
  end if;
  perform pg_advisory_xact_lock(hashtext('idp.admins'));
  -- The lock waits for whoever switches this very account off at the same moment.
  perform from accounts a join held_roles h on h.account_id = a.id
    where h.role = 'admin' and a.status = 'active' and a.deletion_due_at is null
    limit 1 for share of a;
  if found then
    insert into admin_guard default values on conflict do nothing;
  elsif tg_op <> 'INSERT' and exists (select from admin_guard) then
    -- A class of ours: database/transact.ts tells it as a refusal.
    raise exception 'last_admin' using errcode = 'ID422',
      detail = 'Somebody has to stay who may everything: give the role admin to somebody else first.';
  end if;
  return null;
end $function$
;

CREATE CONSTRAINT TRIGGER an_admin_remains_by_delete AFTER DELETE ON account_roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (old.role = 'admin'::text) EXECUTE FUNCTION keep_an_admin();

CREATE CONSTRAINT TRIGGER an_admin_remains_by_insert AFTER INSERT ON account_roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.role = 'admin'::text) EXECUTE FUNCTION keep_an_admin();

CREATE CONSTRAINT TRIGGER an_admin_remains AFTER UPDATE OF status, deletion_due_at ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((old.status = 'active'::text AND old.deletion_due_at IS NULL) IS DISTINCT FROM (new.status = 'active'::text AND new.deletion_due_at IS NULL)) EXECUTE FUNCTION keep_an_admin();

CREATE TRIGGER audit_event_stays BEFORE DELETE OR UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_event_stays();

CREATE CONSTRAINT TRIGGER an_admin_remains AFTER INSERT OR DELETE ON group_members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_an_admin();

CREATE CONSTRAINT TRIGGER an_admin_remains_by_delete AFTER DELETE ON group_roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (old.role = 'admin'::text) EXECUTE FUNCTION keep_an_admin();

CREATE CONSTRAINT TRIGGER an_admin_remains_by_insert AFTER INSERT ON group_roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.role = 'admin'::text) EXECUTE FUNCTION keep_an_admin();
