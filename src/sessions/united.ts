/**
 * SQL that adds to what a row holds. Adding in the statement itself, and not to what was read before it, keeps the work
 * of two tabs that consent at once.
 */

/** Both lists (`text[]`) in their order, the first as it stands, each name once. */
export function unitedNames(first: string, second: string): string {
  return `${first} || array(
    select added from unnest(${second}) with ordinality as given (added, place)
    where added <> all (${first}) order by place)`
}

/** `{identifier: "scope scope"}` of both (`jsonb`), with every scope of an identifier once. */
export function unitedResources(first: string, second: string): string {
  return `(select coalesce(jsonb_object_agg(identifier, scope), '{}') from (
    select key as identifier, string_agg(distinct word, ' ') as scope
    from (select * from jsonb_each_text(${first}) union all select * from jsonb_each_text(${second})) pairs,
      unnest(string_to_array(value, ' ')) as word
    group by key) united)`
}
