use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Method, StatusCode};
use runtime::Runtime;
use serde_json::{Value, json};

use super::http::{Body, Connection, Site};
use super::options::Target;

/// What the names of everything that a run makes begin with.
const PREFIX: &str = "devflow-bench-";

/// A server that was found to run and to let us in, and what was made there.
#[derive(Debug)]
pub(super) struct Forge {
    pub(super) site: Site,
    pub(super) owner: String,
    repositories: Vec<String>,
    /// A token of our own, and who may revoke it.
    token: Option<(String, Site)>,
}

impl Forge {
    /// Finds out who we are there. With a password, makes a token for the run:
    /// checking a password is slow on purpose.
    pub(super) async fn enter(target: &Target, runtime: &Runtime) -> anyhow::Result<Self> {
        let url = target.url.as_deref().context("--url is needed")?;
        let site = Site::of(url)?;
        let mut anonymous = site.connection();
        let (status, _) = anonymous
            .call(Method::GET, "/api/v1/version", Body::default())
            .await
            .with_context(|| format!("{url} cannot be reached: check that it runs"))?;
        ensure!(
            status == StatusCode::OK,
            "{url} is not a DevFlow Code server: {status}"
        );
        let (site, token) = match (target.token()?, target.password()?) {
            (Some(token), _) => (site.with_token(&token)?, None),
            (None, Some((user, password))) => {
                let by_password = site.with_password(&user, &password)?;
                let name = format!("{PREFIX}{:016x}", runtime.random.u64());
                let path = format!("/api/v1/users/{user}/tokens");
                let asked = json!({"name": name, "scopes": ["write:repository", "write:user"]});
                let made = call(
                    &mut by_password.connection(),
                    Method::POST,
                    &path,
                    Some(&asked),
                )
                .await
                .with_context(|| format!("sign in to {url} as {user}"))?;
                let secret = made["sha1"].as_str().context("a token without a secret")?;
                let revoke = format!("{path}/{name}");
                (site.with_token(secret)?, Some((revoke, by_password)))
            }
            (None, None) => bail!(
                "who is to do it? give --token-file, or --user and --password-file (`-` reads standard input)"
            ),
        };
        let mut forge = Self {
            site,
            owner: String::new(),
            repositories: Vec::new(),
            token,
        };
        match call(
            &mut forge.site.connection(),
            Method::GET,
            "/api/v1/user",
            None,
        )
        .await
        {
            Ok(user) => forge.owner = user["login"].as_str().unwrap_or_default().to_owned(),
            Err(error) => {
                forge.leave().await?;
                return Err(error.context(format!("sign in to {url}")));
            }
        }
        Ok(forge)
    }

    /// Makes a private repository, which [`leave`](Self::leave) deletes.
    pub(super) async fn repository(&mut self, runtime: &Runtime) -> anyhow::Result<String> {
        let name = format!("{PREFIX}{:016x}", runtime.random.u64());
        let asked = json!({"name": name, "private": true});
        let mut connection = self.site.connection();
        call(
            &mut connection,
            Method::POST,
            "/api/v1/user/repos",
            Some(&asked),
        )
        .await
        .with_context(|| format!("make a repository as {}", self.owner))?;
        self.repositories.push(name.clone());
        Ok(format!("/{}/{name}", self.owner))
    }

    /// Deletes what was made. Tries all of it, whatever fails.
    pub(super) async fn leave(&mut self) -> anyhow::Result<()> {
        let mut connection = self.site.connection();
        let mut left = Vec::new();
        for name in std::mem::take(&mut self.repositories) {
            let path = format!("/api/v1/repos/{}/{name}", self.owner);
            if let Err(error) = call(&mut connection, Method::DELETE, &path, None).await {
                left.push(format!("{}/{name} ({error:#})", self.owner));
            }
        }
        if let Some((path, site)) = self.token.take()
            && let Err(error) = call(&mut site.connection(), Method::DELETE, &path, None).await
        {
            left.push(format!("the token {path} ({error:#})"));
        }
        ensure!(
            left.is_empty(),
            "could not remove {}: delete it by hand",
            left.join(", ")
        );
        Ok(())
    }
}

async fn call(
    connection: &mut Connection,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let body = body.map_or_else(Body::default, |json| Body {
        bytes: Bytes::from(json.to_string()),
        content_type: "application/json",
        git_protocol: None,
    });
    let (status, answer) = connection.call(method, path, body).await?;
    let json: Value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
    let why = || {
        json["message"]
            .as_str()
            .unwrap_or("no reason given")
            .to_owned()
    };
    match status {
        _ if status.is_success() => Ok(json),
        StatusCode::UNAUTHORIZED => bail!("not let in: {}", why()),
        StatusCode::FORBIDDEN => bail!("not allowed: {}", why()),
        _ => bail!("{status}: {}", why()),
    }
}
