//! The names git gives to things: object ids and reference names.
//!
//! A pure vocabulary shared by everything that speaks of git: the wire
//! protocol, packs, the storage tier's replicated refs, and the use cases above.
//! Values are valid by construction; there is no I/O here and no git logic.

mod object_id;
mod ref_name;

pub use object_id::{HashKind, ObjectId, ParseObjectIdError};
pub use ref_name::{RefName, RefNameError};
