use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::repositories::Filter;
use maud::html;

use crate::pages::PageError;
use crate::pages::layout::Page;
use crate::pages::listing::{Asked, repositories};
use crate::pages::visitor::Visitor;
use crate::request::BaseUrl;
use crate::site::Site;

/// `GET /{owner}`: an account's repositories.
pub(super) async fn owner(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Extension(base): Extension<BaseUrl>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let found = site.forge.accounts.by_name(&name).await?;
    let user = found.ok_or_else(PageError::not_found)?;
    let filter = Filter {
        owner: Some(user.id),
        ..Filter::default()
    };
    let listed = repositories(&site, &visitor.viewer, &filter, asked).await?;
    let is_self = visitor.user().is_some_and(|someone| someone.id == user.id);
    let content = html! {
        h1 { (user.name) }
        @if !user.full_name.is_empty() { p.lead { (user.full_name) } }
        (listed)
        @if is_self {
            h2 { "Push a repository" }
            pre.box {
                "git remote add origin " (base.as_str()) "/" (user.name) "/my-project.git\n"
                "git push -u origin main"
            }
        }
    };
    Ok(Page {
        title: &user.name,
        content,
    }
    .render(&visitor))
}
