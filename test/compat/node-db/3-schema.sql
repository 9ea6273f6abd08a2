-- With tokens, kept answers and the audit log, 2026-11-24 (commit 6996424).
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
create table if not exists token (
  id text primary key, hash text not null unique, name text not null, made_by text not null, keyid text, made_at integer not null,
  expires_at integer, used_at integer
) without rowid;
create table if not exists answered (
  scope text not null, key text not null, body text not null, answer text, at integer not null, primary key (scope, key)
) without rowid;
create table if not exists audit (
  seq integer primary key autoincrement, at text not null, who text not null, via text not null, address text not null,
  action text not null, object text not null, detail text not null, result text not null, request text not null,
  fact text unique, prev text not null, hash text not null
);
create trigger if not exists audit_is_not_changed before update on audit begin select raise(abort, 'audit is append-only'); end;
create trigger if not exists audit_is_not_cut before delete on audit
  when old.seq > (select max(seq) from audit) - 100000 begin select raise(abort, 'audit is append-only'); end;
