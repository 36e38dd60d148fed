/** `fetch` over TLS with a certificate of one's own and an authority of one's own, which the global one cannot do. */
import { request } from 'node:https'

export function secureFetch(tls: {
  ca: string
  cert?: string
  key?: string
  /** Instead of what the address says. */
  headers?: Record<string, string>
}): typeof fetch {
  return (input, init = {}) =>
    new Promise((resolve, reject) => {
      const url = new URL(String(input))
      const { ca, cert, key } = tls
      const headers = { ...Object.fromEntries(new Headers(init.headers)), ...tls.headers }
      const body = init.body == null ? undefined : String(init.body)
      if (init.body instanceof URLSearchParams) {
        headers['content-type'] ??= 'application/x-www-form-urlencoded'
      }
      const outgoing = request(
        url,
        // Every test server is this machine, whatever the Host says.
        {
          method: init.method ?? 'GET',
          headers,
          ca,
          cert,
          key,
          agent: false,
          servername: 'localhost',
        },
        async (incoming) => {
          const chunks: Buffer[] = []
          for await (const chunk of incoming) chunks.push(chunk as Buffer)
          const got = Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
            values.map((value): [string, string] => [name, value]),
          )
          resolve(
            new Response(Buffer.concat(chunks), {
              status: incoming.statusCode ?? 0,
              headers: got,
            }),
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
}
