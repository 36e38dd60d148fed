-- compatible: a column with a default
-- Our own API (src/clients/own-api.ts) is a row like any other, so that clients, consents and tokens know no difference.

alter table apis add column built_in boolean not null default false;
create unique index on apis (built_in) where built_in;
