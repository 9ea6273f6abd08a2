-- The first schema of node.db that was ever landed, 2026-11-24 (commit d861220).
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
