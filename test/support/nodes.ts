/**
 * One issuer, served by one process or by several on the same database, behind a balancer that gives each request to
 * the next of them: no two requests of a flow or of a race can count on one process' memory.
 */
import { createServer, request } from 'node:http'
import { afterAll } from 'vitest'
import { freePort, startTestServer, type TestServer } from './server.ts'

/** As a test server, but `origin` is the balancer's. */
export async function startNodes(
  count: number,
  env: Record<string, string> = {},
): Promise<TestServer> {
  if (count === 1) return startTestServer({ env })
  const port = await freePort()
  const first = await startTestServer({ env: { ISSUER: `http://localhost:${port}`, ...env } })
  const nodes = [first]
  while (nodes.length < count) {
    nodes.push(
      await startTestServer({
        env: { ISSUER: first.config.issuer, SECRET_KEY: first.config.secretKeys[0] ?? '', ...env },
        database: first.database,
        dataDir: first.config.dataDir,
      }),
    )
  }
  let turn = 0
  const balancer = createServer((from, to) => {
    const node = nodes[turn++ % nodes.length] as TestServer
    const { method, url: path, headers } = from
    const onward = request(
      { host: '127.0.0.1', port: node.config.port, method, path, headers },
      (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(to)
      },
    )
    onward.on('error', () => to.destroy())
    from.pipe(onward)
  })
  await new Promise<void>((resolve) => balancer.listen(port, 'localhost', resolve))
  afterAll(() => {
    balancer.closeAllConnections()
    balancer.close()
  })
  return first
}
