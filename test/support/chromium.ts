/**
 * The browser of the tests: the one that CHROME_PATH names, else one that is installed, else the one that comes as a
 * package, which needs nothing on the machine but libc. `CHROME_PATH=packaged` asks for the last.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Browser, chromium } from 'playwright-core'

export type Chromium = {
  executablePath: string
  /** What it needs beside our own environment. */
  env: Record<string, string>
}

const installed = ['/usr/bin/chromium', '/usr/bin/google-chrome-stable', '/usr/bin/google-chrome']

/** The first that knows `light-dark()`; with an older one the pages show their light theme alone. */
const oldestMajor = 123

// Not the package's own arguments: those run one process and switch web security off, so that a policy
// would stop nothing (CSP, CORS) and a second context would crash.
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
]

/** `remove` takes away what had to be unpacked. */
export async function findChromium(
  wanted = process.env.CHROME_PATH,
): Promise<{ found: Chromium; remove(): void }> {
  if (wanted !== 'packaged') {
    const executablePath = wanted || installed.find(isUsable)
    if (executablePath) return { found: { executablePath, env: {} }, remove: () => {} }
  }
  if (process.arch !== 'x64') {
    throw new Error(
      'There is no packaged Chromium for this machine: install one, or set CHROME_PATH',
    )
  }
  return unpack()
}

export function launchChromium({ executablePath, env }: Chromium): Promise<Browser> {
  return chromium.launch({ executablePath, args, env: { ...process.env, ...env } })
}

function isUsable(path: string): boolean {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return Number(/\d+/.exec(stdout ?? '')?.[0] ?? 0) >= oldestMajor
}

/** Into a directory of its own: a copy that another run left behind would be taken as it is. */
async function unpack(): Promise<{ found: Chromium; remove(): void }> {
  // Named like the database's directory, so that it is cleared away with it when a run was killed.
  const directory = mkdtempSync(join(tmpdir(), `idp-test-${process.pid}-chromium-`))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    // A process of its own, because the package changes its environment as it is imported. It brings NSS
    // and the like only where it believes to be on Lambda.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--eval',
        "import('@sparticuz/chromium').then((it) => it.default.executablePath()).then(console.log)",
      ],
      {
        cwd: import.meta.dirname,
        env: { ...process.env, TMPDIR: directory, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' },
      },
    )
    const fonts = join(directory, 'fonts.conf')
    writeFileSync(fonts, fontsConfiguration(directory))
    const env = {
      HOME: directory,
      FONTCONFIG_FILE: fonts,
      LD_LIBRARY_PATH: join(directory, 'al2023/lib'),
    }
    return { found: { executablePath: stdout.trim(), env }, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** The package's font for every page, so that they look alike everywhere; the machine's for what it lacks. */
const fontsConfiguration = (directory: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${directory}/fonts/fonts</dir>
  <match target="pattern">
    <test name="family" qual="any" compare="eq"><string>system-ui</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Open Sans</string></edit>
  </match>
  <match target="pattern">
    <test name="family" qual="any" compare="eq"><string>sans-serif</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Open Sans</string></edit>
  </match>
  <cachedir>${directory}/font-cache</cachedir>
</fontconfig>
`
