//! The tables, as numbered migrations.
//!
//! The SQL runs unchanged on SQLite and PostgreSQL: whole numbers and times
//! (milliseconds since the Unix epoch) are `BIGINT`, booleans are 0 and 1,
//! everything else is `TEXT`, hashes and ids of the storage in hexadecimal. A
//! released migration is never edited. Each works while programs of the release
//! before still run.

use storage_node_api::metadata::Migration;

const STEPS: &[(&str, &str)] = &[
    ("accounts", ACCOUNTS),
    ("tokens", TOKENS),
    ("repositories", REPOSITORIES),
    ("removals", REMOVALS),
    ("keys", KEYS),
    ("lfs", LFS),
    ("leases", LEASES),
];

/// All migrations, in order.
pub fn migrations() -> Vec<Migration> {
    STEPS
        .iter()
        .zip(1..)
        .map(|((name, sql), number)| Migration {
            number,
            name: (*name).to_owned(),
            sql: (*sql).to_owned(),
        })
        .collect()
}

/// `name_key` and `email_key` are in lower case: names differ by more than case.
const ACCOUNTS: &str = "
CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    full_name TEXT NOT NULL,
    password TEXT NOT NULL,
    is_admin BIGINT NOT NULL,
    is_active BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    CONSTRAINT users_name UNIQUE (name_key),
    CONSTRAINT users_email UNIQUE (email_key)
);
CREATE INDEX users_admin ON users (is_admin, id)
";

/// `kind` is `access` or `session`; `hash` is the SHA-256 of the secret, which
/// itself is nowhere.
const TOKENS: &str = "
CREATE TABLE tokens (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    last_eight TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    CONSTRAINT tokens_hash UNIQUE (hash),
    CONSTRAINT tokens_name UNIQUE (user_id, kind, name)
);
CREATE INDEX tokens_expiry ON tokens (kind, expires)
";

/// `storage` is the id in the repository's group. `state` is `creating`,
/// `active` or `deleting`. `initial_head` and `object_format` are what it was
/// created with: the branch that HEAD names now is known to the group alone.
const REPOSITORIES: &str = "
CREATE TABLE repositories (
    id BIGINT NOT NULL PRIMARY KEY,
    owner_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    storage TEXT NOT NULL,
    object_format TEXT NOT NULL,
    initial_head TEXT NOT NULL,
    is_private BIGINT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL,
    fork_of BIGINT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    CONSTRAINT repositories_name UNIQUE (owner_id, name_key),
    CONSTRAINT repositories_storage UNIQUE (storage)
);
CREATE INDEX repositories_state ON repositories (state, updated, id);
CREATE INDEX repositories_forks ON repositories (fork_of, id)
";

/// What was removed and can be had back until a time. `kind` says which table
/// keeps the rest (`repository`: `removed_repositories`); `state` is `removed`
/// or `purging`. A removed repository's row is nowhere else, so that no query
/// of this release or the one before can show it, and its name is free.
const REMOVALS: &str = "
CREATE TABLE removals (
    kind TEXT NOT NULL,
    thing BIGINT NOT NULL,
    state TEXT NOT NULL,
    removed BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (kind, thing)
);
CREATE INDEX removals_until ON removals (kind, state, until, thing);
CREATE TABLE removed_repositories (
    id BIGINT NOT NULL PRIMARY KEY,
    owner_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    storage TEXT NOT NULL,
    object_format TEXT NOT NULL,
    initial_head TEXT NOT NULL,
    is_private BIGINT NOT NULL,
    description TEXT NOT NULL,
    fork_of BIGINT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    CONSTRAINT removed_repositories_storage UNIQUE (storage)
);
CREATE INDEX removed_repositories_owner ON removed_repositories (owner_id, id);
CREATE INDEX removed_repositories_forks ON removed_repositories (fork_of, id)
";

/// A key with a `repository_id` is that repository's, added by the account
/// `user_id`; one without is the account's. `repository_id` is no reference: a
/// removed repository takes its keys along and brings them back. `content` is
/// the public key as one line. `host_keys` are what every frontend shows; their
/// private halves are as secret as the storage's own disks.
const KEYS: &str = "
CREATE TABLE keys (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    repository_id BIGINT,
    title TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    content TEXT NOT NULL,
    read_only BIGINT NOT NULL,
    created BIGINT NOT NULL,
    last_used BIGINT,
    CONSTRAINT keys_fingerprint UNIQUE (fingerprint)
);
CREATE INDEX keys_user ON keys (user_id, repository_id, created, id);
CREATE INDEX keys_repository ON keys (repository_id, created, id);
CREATE TABLE host_keys (
    kind TEXT NOT NULL PRIMARY KEY,
    private TEXT NOT NULL,
    created BIGINT NOT NULL
)
";

/// `oid` is the SHA-256 of an object's bytes. `owner` names the owner record of its blob, which a
/// fork shares with its origin. `lfs_owners` are records that no object has: `state` is `storing`
/// before it has, and `dropping` from when it will not any more.
const LFS: &str = "
CREATE TABLE lfs_objects (
    repository_id BIGINT NOT NULL,
    oid TEXT NOT NULL,
    size BIGINT NOT NULL,
    owner TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (repository_id, oid)
);
CREATE INDEX lfs_objects_owner ON lfs_objects (owner, repository_id);
CREATE TABLE lfs_owners (
    owner TEXT NOT NULL PRIMARY KEY,
    oid TEXT NOT NULL,
    slot BIGINT NOT NULL,
    state TEXT NOT NULL,
    updated BIGINT NOT NULL
);
CREATE INDEX lfs_owners_state ON lfs_owners (state, updated, owner);
CREATE TABLE lfs_locks (
    id BIGINT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL,
    path TEXT NOT NULL,
    owner_id BIGINT NOT NULL REFERENCES users (id),
    since BIGINT NOT NULL,
    CONSTRAINT lfs_locks_path UNIQUE (repository_id, path)
)
";

/// Work that one process at a time should do. Nothing safe depends on it.
const LEASES: &str = "
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX leases_until ON leases (until, name)
";

#[cfg(test)]
mod tests {
    use super::migrations;

    #[test]
    fn migrations_are_portable_and_numbered_without_holes() {
        for (migration, number) in migrations().iter().zip(1..) {
            assert_eq!(migration.number, number);
            for word in [
                "INTEGER",
                "AUTOINCREMENT",
                "BLOB",
                "BYTEA",
                "BOOLEAN",
                "SERIAL",
                "now()",
            ] {
                assert!(
                    !migration.sql.contains(word),
                    "{word} in {}",
                    migration.name
                );
            }
            let tables = migration.sql.matches("CREATE TABLE").count();
            assert_eq!(migration.sql.matches("PRIMARY KEY").count(), tables);
        }
    }
}
