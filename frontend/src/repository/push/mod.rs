//! A push on its way into the storage.
//!
//! The pack's bytes go to the storage while they are being indexed in
//! quarantine. The commit comes last: with everything durable, one entry makes
//! pack, refs and event visible. If the storage's collector or map has moved
//! on, what is in quarantine is stored again and committed again; if it is
//! unknown whether an entry was applied, it is proposed again under its id. If
//! maintenance has dropped objects since the push was checked, it is checked again.
//! Whoever pushes must still be allowed to right before the commit.

mod authority;
mod check;
mod commit;
mod propose;
mod session;

pub(crate) use authority::Authority;
pub(super) use session::StoragePush;
