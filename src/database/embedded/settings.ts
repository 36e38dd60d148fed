/** How the embedded server is set up and reached. */

/** PostgreSQL's own settings by their names. */
export type Settings = Record<string, string | number>

/** Trusted without a password: only the owner of DATA_DIR can reach the socket. */
export const connection = { port: 5432, user: 'idp', database: 'idp', ssl: false } as const

/** One house with a handful of connections: small, and silent about what people type. */
export const usual: Settings = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: 100,
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  shared_preload_libraries: 'pg_stat_statements',
  // Workers cost memory that a database of this size does not pay back.
  io_method: 'sync',
  max_parallel_workers_per_gather: 0,
  jit: 'off',
  // In files of its own: safe from systemd's clean-up at logout and from a tiny /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // A violated constraint is an answer to us, and its row may name a person.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}
