/// Who uses a repository directory, and which part of it: what git's programs
/// take from their environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `GIT_NAMESPACE`: the part of the refs that is served as if it were all
    /// (gitnamespaces(7)).
    pub namespace: Option<String>,
    /// `GIT_COMMITTER_NAME`: who updates refs, for the reflog.
    pub committer_name: Option<String>,
    /// `GIT_COMMITTER_EMAIL`.
    pub committer_email: Option<String>,
    /// What names this run in logs, for clients that are to know it; not from
    /// the environment.
    pub session_id: Option<String>,
}

impl Caller {
    /// Takes what is needed from a process's environment. Empty variables count
    /// as unset.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            namespace: text("GIT_NAMESPACE"),
            committer_name: text("GIT_COMMITTER_NAME"),
            committer_email: text("GIT_COMMITTER_EMAIL"),
            session_id: None,
        }
    }

    /// A user of a web server, as git-http-backend(1) names one where the
    /// environment says nothing else.
    pub(crate) fn or_web_user(mut self, user: &str, address: &str) -> Self {
        let or = |value: &str, default: &str| match value {
            "" => default.to_owned(),
            value => value.to_owned(),
        };
        let user = or(user, "anonymous");
        let email = format!("{user}@http.{}", or(address, "(none)"));
        self.committer_name.get_or_insert(user);
        self.committer_email.get_or_insert(email);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn the_environment_goes_before_the_web_user() {
        let caller = Caller::from_variables(|name| match name {
            "GIT_COMMITTER_EMAIL" => Some("a@example.org".to_owned()),
            "GIT_NAMESPACE" => Some(String::new()),
            _ => None,
        });
        assert_eq!(caller.namespace, None);
        let named = caller.or_web_user("bob", "::1");
        assert_eq!(named.committer_name.as_deref(), Some("bob"));
        assert_eq!(named.committer_email.as_deref(), Some("a@example.org"));
        let nobody = Caller::default().or_web_user("", "127.0.0.1");
        let email = nobody.committer_email.as_deref();
        assert_eq!(email, Some("anonymous@http.127.0.0.1"));
    }
}
