use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use maud::{DOCTYPE, Markup, html};

use crate::pages::asset::STYLE_PATH;
use crate::pages::keys::KEYS_PATH;
use crate::pages::policy::{PAGE_POLICY, content_policy};
use crate::pages::visitor::Visitor;

/// A page without its frame.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// What the browser's tab says.
    pub(super) title: &'a str,
    /// What is in the frame.
    pub(super) content: Markup,
}

impl Page<'_> {
    /// The whole page, for that visitor alone.
    pub(super) fn render(self, visitor: &Visitor) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · DevFlow Code" }
                    link rel="stylesheet" href=(STYLE_PATH);
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (bar(visitor))
                    main #content { (self.content) }
                    footer { div { "DevFlow Code " (env!("CARGO_PKG_VERSION")) } }
                }
            }
        };
        let mut response = Html(page.into_string()).into_response();
        let (name, value) = content_policy(PAGE_POLICY);
        response.headers_mut().insert(name, value);
        let control = HeaderValue::from_static("private, no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, control);
        response
    }
}

fn bar(visitor: &Visitor) -> Markup {
    html! {
        header.bar {
            div {
                a.brand href="/" { "DevFlow " span { "Code" } }
                nav.end aria-label="Account" {
                    @if let Some(user) = visitor.user() {
                        a href={ "/" (user.name) } { (user.name) }
                        a href=(KEYS_PATH) { "Keys" }
                        form method="post" action="/logout" {
                            input type="hidden" name="token"
                                value=(visitor.form_token.as_deref().unwrap_or_default());
                            button.plain type="submit" { "Sign out" }
                        }
                    } @else {
                        a href="/login" { "Sign in" }
                    }
                }
            }
        }
    }
}
