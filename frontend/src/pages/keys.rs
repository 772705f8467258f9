use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::keys::{Key, KeyOwner, NewKey};
use domain::{KeyId, Slice, User};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use crate::failing::{public_message, status};
use crate::moment::day;
use crate::pages::PageError;
use crate::pages::form::{check_own, read_form};
use crate::pages::layout::Page;
use crate::pages::visitor::Visitor;
use crate::site::Site;

/// Where the page is, as Gitea has it.
pub(super) const KEYS_PATH: &str = "/user/settings/keys";

/// All that an account can have fit one page.
const ALL: Slice = Slice {
    limit: 1_000,
    offset: 0,
};

#[derive(Deserialize)]
struct AddForm {
    #[serde(default)]
    title: String,
    key: String,
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct RemoveForm {
    id: i64,
    #[serde(default)]
    token: String,
}

/// `GET /user/settings/keys`: one's keys, and a form to add one.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, PageError> {
    let Some(user) = visitor.user() else {
        return Ok(Redirect::to("/login").into_response());
    };
    page(&site, &visitor, user, None).await
}

/// `POST /user/settings/keys`.
pub(super) async fn add(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, PageError> {
    let form: AddForm = read_form(&site, request).await?;
    let user = owner(&visitor, &form.token)?;
    let new = NewKey {
        title: &form.title,
        text: &form.key,
        read_only: false,
    };
    match site.forge.keys.add(KeyOwner::Account(user.id), new).await {
        Ok(_) => Ok(Redirect::to(KEYS_PATH).into_response()),
        Err(error) => {
            let (status, message) = (status(error.failure()), public_message(&error));
            page(
                &site,
                &visitor,
                user,
                Some((status, message.as_str(), &form)),
            )
            .await
        }
    }
}

/// `POST /user/settings/keys/remove`.
pub(super) async fn remove(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, PageError> {
    let form: RemoveForm = read_form(&site, request).await?;
    let owner = KeyOwner::Account(owner(&visitor, &form.token)?.id);
    site.forge.keys.remove(owner, KeyId(form.id)).await?;
    Ok(Redirect::to(KEYS_PATH).into_response())
}

/// Who sent a form of this page.
fn owner<'a>(visitor: &'a Visitor, token: &str) -> Result<&'a User, PageError> {
    check_own(visitor.form_token.as_deref(), token)?;
    visitor.user().ok_or_else(PageError::not_found)
}

async fn page(
    site: &Site,
    visitor: &Visitor,
    user: &User,
    refused: Option<(StatusCode, &str, &AddForm)>,
) -> Result<Response, PageError> {
    let keys = site
        .forge
        .keys
        .list(KeyOwner::Account(user.id), ALL)
        .await?;
    let token = visitor.form_token.as_deref().unwrap_or_default();
    let (title, text) = refused.map_or(("", ""), |(_, _, form)| {
        (form.title.as_str(), form.key.as_str())
    });
    let content = html! {
        h1 { "SSH keys" }
        p.lead { "Whoever holds one of these keys clones and pushes as you." }
        @if keys.items.is_empty() { p { "You have added no key yet." } }
        @else {
            table {
                thead { tr {
                    th { "Title" } th { "Fingerprint" } th { "Added" } th { "Last used" } th {}
                } }
                tbody { @for key in &keys.items { (row(key, token)) } }
            }
        }
        form.form method="post" action=(KEYS_PATH) {
            h2 { "Add a key" }
            @if let Some((_, message, _)) = refused { p.notice role="alert" { (message) } }
            input type="hidden" name="token" value=(token);
            label for="title" { "Title (if empty, the comment of the key)" }
            input #title name="title" type="text" value=(title);
            label for="key" { "Public key, such as the content of ~/.ssh/id_ed25519.pub" }
            textarea #key name="key" rows="4" spellcheck="false" required { (text) }
            button type="submit" { "Add" }
        }
    };
    let mut response = Page {
        title: "SSH keys",
        content,
    }
    .render(visitor);
    if let Some((status, _, _)) = refused {
        *response.status_mut() = status;
    }
    Ok(response)
}

fn row(key: &Key, token: &str) -> Markup {
    let shown = |time: storage_node_api::Timestamp| day(time.seconds().cast_signed());
    html! {
        tr {
            td { (key.title) }
            td { code { (key.kind()) " " (key.fingerprint) } }
            td { (shown(key.created)) }
            td { (key.last_used.map_or_else(|| "never".to_owned(), shown)) }
            td {
                form method="post" action={ (KEYS_PATH) "/remove" } {
                    input type="hidden" name="token" value=(token);
                    input type="hidden" name="id" value=(key.id);
                    button.plain type="submit" aria-label={ "Remove " (key.title) } { "Remove" }
                }
            }
        }
    }
}
