-- With sessions of people, 2026-11-24 (commit 4608063).
create table if not exists fact (
  kind text not null, owner text not null, name text not null,
  epoch integer not null, version integer not null, body text not null, sig text not null,
  primary key (kind, owner, name)
) without rowid;
create table if not exists document (digest text primary key, text text not null) without rowid;
create table if not exists memory (key text primary key, value text not null) without rowid;
create table if not exists invite (
  id text primary key, envelope text not null, uses integer not null, used integer not null default 0, expires_at text not null
) without rowid;
create table if not exists redeemed (invite text not null, node text not null, primary key (invite, node)) without rowid;
create table if not exists session (
  hash text primary key, name text not null, keyid text not null, wrapped text,
  made_at integer not null, used_at integer not null
) without rowid;
create index if not exists session_keyid on session (keyid);
