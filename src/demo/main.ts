/** `npm run demo`: everything at once, to click through; `npm run demo -- --check` clicks by itself. */
import { readConfig } from '../config.ts'
import { inWords, type Lifetime, watchForEnd } from '../lifetime.ts'
import { createLogger } from '../logger.ts'
import { runCheck } from './check.ts'
import { appOrigin, startDemo } from './start.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)
const complain = (text: string) => process.stderr.write(`${text}\n`)

// A reader that has seen enough, such as `head`, is no reason to leave things lying about.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const lifetime = watchForEnd({ endWithParent: process.env.npm_lifecycle_event !== undefined })
const [option, ...others] = process.argv.slice(2)
if (option === '--check' && others.length === 0) process.exit(await check(lifetime))
if (option === undefined) process.exit(await run(lifetime))
complain(`usage: npm run demo              everything, to click through
       npm run demo -- --check   the same by itself, step by step`)
process.exit(2)

async function check({ ending }: Lifetime): Promise<number> {
  try {
    return await runCheck({ ending, env: { PATH: process.env.PATH ?? '' }, say, complain })
  } catch (error) {
    complain(`The check could not begin. ${inWords(error)}`)
    return 1
  }
}

async function run({ ending }: Lifetime): Promise<number> {
  let config: ReturnType<typeof readConfig> | undefined
  try {
    config = readConfig({ LOG_LEVEL: 'warn', ...process.env })
    if (config.production) throw new Error('The demo runs on this machine alone: unset ISSUER.')
    const destination = { write: (line: string) => void process.stderr.write(line) }
    const demo = await startDemo(config, createLogger({ level: config.logLevel, destination }))
    say(welcome(config))
    await ending
    await demo.close()
    return 0
  } catch (error) {
    complain(`The demo could not start. ${inWords(error, config)}`)
    const ports = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    if (ports) complain('The provider uses PORT (3000), the demo app the one after it.')
    return 1
  }
}

function welcome(config: ReturnType<typeof readConfig>): string {
  const { issuer, smtpUrl, dataDir } = config
  const app = appOrigin(config)
  const mail = smtpUrl ? 'sent by your SMTP_URL' : `${issuer}/dev/mailbox`
  return `
The demo is running. Try it:

  1. Open the demo app      ${app}
     Click "Sign in", then "Create an account".
  2. Read your mail         ${mail}
     Type the code from it, and allow the app to see who you are.
  3. Open a second app      ${app}/second
     Click "Sign in": it knows you already, so there is nothing to type.

The provider is ${issuer}; what it stores is in ${dataDir}.
Ctrl-C ends it all.`
}
