use super::response::{Answer, Status};
use crate::bare::Caller;

/// The variables of a CGI request (RFC 3875) and those of git-http-backend(1).
/// Empty strings stand for unset ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgiEnvironment {
    /// `REQUEST_METHOD`.
    pub request_method: String,
    /// `PATH_INFO`.
    pub path_info: String,
    /// `PATH_TRANSLATED`, used if there is no `GIT_PROJECT_ROOT`.
    pub path_translated: String,
    /// `GIT_PROJECT_ROOT`: the directory below which repositories are.
    pub git_project_root: String,
    /// `GIT_HTTP_EXPORT_ALL`: whether it is set, to whatever.
    pub export_all: bool,
    /// `QUERY_STRING`.
    pub query_string: String,
    /// `CONTENT_TYPE`.
    pub content_type: String,
    /// `CONTENT_LENGTH`, if it is a number.
    pub content_length: Option<u64>,
    /// `HTTP_CONTENT_ENCODING`.
    pub content_encoding: String,
    /// `GIT_PROTOCOL`, or else `HTTP_GIT_PROTOCOL`.
    pub git_protocol: String,
    /// The namespace, and who is in the reflog: by default `REMOTE_USER` at
    /// `REMOTE_ADDR`, or `anonymous`.
    pub caller: Caller,
    /// `REMOTE_USER`: who the web server found the user to be.
    pub remote_user: String,
    /// `SERVER_PROTOCOL`.
    pub server_protocol: String,
}

impl CgiEnvironment {
    /// Takes what is needed from a process's environment.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| variable(name).unwrap_or_default();
        Self {
            request_method: text("REQUEST_METHOD"),
            path_info: text("PATH_INFO"),
            path_translated: text("PATH_TRANSLATED"),
            git_project_root: text("GIT_PROJECT_ROOT"),
            export_all: variable("GIT_HTTP_EXPORT_ALL").is_some(),
            query_string: text("QUERY_STRING"),
            content_type: text("CONTENT_TYPE"),
            content_length: text("CONTENT_LENGTH").parse().ok(),
            content_encoding: text("HTTP_CONTENT_ENCODING"),
            git_protocol: variable("GIT_PROTOCOL").unwrap_or_else(|| text("HTTP_GIT_PROTOCOL")),
            caller: Caller::from_variables(&variable)
                .or_web_user(&text("REMOTE_USER"), &text("REMOTE_ADDR")),
            remote_user: text("REMOTE_USER"),
            server_protocol: text("SERVER_PROTOCOL"),
        }
    }

    /// The method; HEAD is answered like GET, the web server leaves out the body.
    pub(super) fn method(&self) -> &str {
        if self.request_method == "HEAD" {
            "GET"
        } else {
            &self.request_method
        }
    }

    /// The file system path that is asked for.
    pub(super) fn path(&self) -> Result<String, Answer> {
        if self.git_project_root.is_empty() {
            return match self.path_translated.is_empty() {
                true => Err(Answer::new(Status::ServerError)),
                false => Ok(self.path_translated.clone()),
            };
        }
        if self.path_info.is_empty() {
            return Err(Answer::new(Status::ServerError));
        }
        let escapes = |component| matches!(component, "." | "..");
        if self.path_info.split('/').any(escapes) || self.path_info.contains('\0') {
            return Err(Answer::new(Status::NotFound));
        }
        let root = self.git_project_root.trim_end_matches('/');
        Ok(format!("{root}/{}", self.path_info.trim_start_matches('/')))
    }

    /// A parameter of the query; its first value.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = self
            .query_string
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::CgiEnvironment;

    #[test]
    fn paths_stay_below_the_project_root() {
        let path = |root: &str, info: &str| {
            let environment = CgiEnvironment {
                git_project_root: root.to_owned(),
                path_info: info.to_owned(),
                path_translated: "/translated/x".to_owned(),
                ..CgiEnvironment::default()
            };
            environment.path().ok()
        };
        assert_eq!(
            path("/srv/", "/a.git/HEAD").as_deref(),
            Some("/srv/a.git/HEAD")
        );
        assert_eq!(
            path("/srv", "//etc/passwd").as_deref(),
            Some("/srv/etc/passwd")
        );
        assert_eq!(path("/srv", "/../etc/passwd"), None);
        assert_eq!(path("/srv", "/a/./b"), None);
        assert_eq!(path("/srv", ""), None);
        assert_eq!(path("", "/a").as_deref(), Some("/translated/x"));
    }

    #[test]
    fn variables_and_parameters_are_found() {
        let environment = CgiEnvironment::from_variables(|name| match name {
            "QUERY_STRING" => Some("a=b&service=git-upload-pack".to_owned()),
            "HTTP_GIT_PROTOCOL" => Some("version=2".to_owned()),
            "CONTENT_LENGTH" => Some("12".to_owned()),
            "REQUEST_METHOD" => Some("HEAD".to_owned()),
            _ => None,
        });
        assert_eq!(
            environment.query("service").as_deref(),
            Some("git-upload-pack")
        );
        assert_eq!(environment.query("serv"), None);
        assert_eq!(
            (environment.method(), environment.content_length),
            ("GET", Some(12))
        );
        assert_eq!(environment.git_protocol, "version=2");
        assert!(!environment.export_all);
    }
}
