use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use domain::repositories::{Filter, Sort};
use maud::html;

use crate::pages::PageError;
use crate::pages::layout::Page;
use crate::pages::listing::{Asked, repositories};
use crate::pages::visitor::Visitor;
use crate::site::Site;

/// `GET /`: all repositories that the visitor may know of, newest first.
pub(super) async fn home(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let filter = Filter {
        sort: Sort::Created,
        descending: true,
        ..Filter::default()
    };
    let listed = repositories(&site, &visitor.viewer, &filter, asked).await?;
    let content = html! {
        h1 { "Repositories" }
        @if let Some(user) = visitor.user() {
            p.lead {
                "Push to a repository of your own that does not exist yet, and it is made: "
                a href={ "/" (user.name) } { "your repositories" } "."
            }
        } @else {
            p.lead { "Public repositories. Sign in to see your own." }
        }
        (listed)
    };
    Ok(Page {
        title: "Repositories",
        content,
    }
    .render(&visitor))
}
