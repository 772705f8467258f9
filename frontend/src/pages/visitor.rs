use domain::{User, Viewer};

/// Who looks at a page, as its frame needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Who it is.
    pub(super) viewer: Viewer,
    /// What forms of the session carry; `None` outside one.
    pub(super) form_token: Option<String>,
}

impl Visitor {
    pub(super) fn user(&self) -> Option<&User> {
        self.viewer.user()
    }
}
