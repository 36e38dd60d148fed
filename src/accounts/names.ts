/**
 * Names that people give themselves, to be shown and never to be trusted: free of characters that break
 * lines, reverse text or hide, but otherwise as typed. HTML and links in them are text; pages and mail
 * escape them (security AC-05).
 */

/** In code points. */
export const longestName = 100

export type NameCheck =
  | { ok: true; name: string }
  | { ok: false; code: 'name_invalid' | 'name_too_long' }

/**
 * Not in a name: controls (Cc: NUL, CR, LF, tab), line and paragraph separators, lone surrogates, private
 * use, and invisible formatting (Cf: bidi overrides, soft hyphens, tags) save the two joiners that Persian,
 * Indic scripts and emoji need.
 */
const forbidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}]|(?![\u200c\u200d])\p{Cf}/u

/** What draws nothing: space, marks without a letter, joiners, Hangul fillers, the empty Braille pattern. */
const invisible = /[\s\p{M}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** NFC, trimmed, each run of white space one space; 1 to 100 code points with something to see among them. */
export function checkDisplayName(text: string): NameCheck {
  // NFC shortens four characters into one at most; longer text need not be read.
  if (text.length > longestName * 20) return { ok: false, code: 'name_too_long' }
  if (forbidden.test(text)) return { ok: false, code: 'name_invalid' }
  const name = text.normalize('NFC').replace(/\s+/g, ' ').trim()
  if (Array.from(name).length > longestName) return { ok: false, code: 'name_too_long' }
  if (name.replace(invisible, '') === '') return { ok: false, code: 'name_invalid' }
  return { ok: true, name }
}

/** Chinese and Korean family names of two characters, simplified and traditional. */
const longSurnames = new Set(
  `欧阳 歐陽 太史 端木 上官 司马 司馬 东方 東方 独孤 獨孤 南宫 南宮 万俟 闻人 聞人 夏侯 诸葛 諸葛 尉迟 尉遲 公羊 赫连 赫連
  澹台 澹臺 皇甫 宗政 濮阳 濮陽 公冶 太叔 申屠 公孙 公孫 慕容 仲孙 仲孫 钟离 鐘離 鍾離 长孙 長孫 宇文 司徒 鲜于 鮮于 司空
  闾丘 閭丘 令狐 轩辕 軒轅 呼延 西门 西門 百里 东郭 東郭 南门 南門 公输 公輸 淳于 单于 單于 拓跋 남궁 황보 제갈 선우 독고 사공`.split(
    /\s+/,
  ),
)

const east = /^[\p{Script=Han}\p{Script=Hangul}]+$/u

/**
 * Two parts for the apps that demand two; never empty when `name` is not (a checked display name or a
 * username). The script decides, not the reader's language: a Chinese name stays one on an English page.
 * - 王小明, 欧阳娜娜, 홍길동: the family name first, one character or a known two.
 * - 王 小明: written apart, the family name first. 卡尔·马克思: a foreign name, the family name last.
 * - Ludwig van Beethoven: the last word, with the lower-case particles before it.
 * - Plato: both.
 */
export function splitName(name: string): { givenName: string; familyName: string } {
  const words = name.trim().split(/\s+/)
  const [first = ''] = words
  if (words.length > 1) {
    const familyFirst = words.every((word) => east.test(word))
    const cut = familyFirst ? 1 : familyStart(words)
    const [before, after] = [words.slice(0, cut).join(' '), words.slice(cut).join(' ')]
    return familyFirst
      ? { givenName: after, familyName: before }
      : { givenName: before, familyName: after }
  }

  const foreign = /^(.+)[·・‧•](.+)$/u.exec(first)
  if (foreign?.[1] && foreign[2]) return { givenName: foreign[1], familyName: foreign[2] }

  const characters = Array.from(first)
  if (east.test(first) && characters.length >= 2 && characters.length <= 6) {
    const two = characters.slice(0, 2).join('')
    const cut = characters.length > 2 && longSurnames.has(two) ? 2 : 1
    return {
      givenName: characters.slice(cut).join(''),
      familyName: characters.slice(0, cut).join(''),
    }
  }
  return { givenName: first, familyName: first }
}

/** Index of the word where the family name begins, at least 1. */
function familyStart(words: string[]): number {
  const last = words.length - 1
  const isParticle = (word: string | undefined) => word !== undefined && /^\p{Ll}/u.test(word)
  if (isParticle(words[last])) return last
  let start = last
  while (start > 1 && isParticle(words[start - 1])) start--
  return start
}
