/** Asks the server in this container whether it lives. Plain JavaScript: it starts often. */
import http from 'node:http'
import https from 'node:https'

const { PORT = '3000', TLS_CERT_FILE = '' } = process.env
const client = TLS_CERT_FILE === '' ? http : https

client
  // The certificate names the issuer, not this address.
  .get({ host: '127.0.0.1', port: PORT || '3000', path: '/healthz', rejectUnauthorized: false, timeout: 4000 })
  .on('response', (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1))
