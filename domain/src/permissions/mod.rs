//! Who may do what.
//!
//! One function decides about repositories, [`authorize`], and every protocol
//! calls it; its answer [`Access::Hidden`] is the same for what does not exist
//! and for what the viewer may not know of. [`authorize_account`] and
//! [`authorize_namespace`] decide about accounts.
//!
//! Not here: how a viewer proved who it is (`tokens`, `accounts`), and how a
//! protocol words a refusal.

mod authorize;
mod refresh;
mod viewer;

pub use authorize::{
    Access, Action, Reason, authorize, authorize_account, authorize_administration,
    authorize_namespace,
};
pub use viewer::{Means, SignedIn, Viewer};

pub(crate) use authorize::visible_condition;
