use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use maud::html;
use serde::Deserialize;

use crate::auth::{
    AuthError, Session, clear_cookie, form_cookie, form_token, session_cookie, set_form_cookie,
    sign_in,
};
use crate::failing::public_message;
use crate::pages::PageError;
use crate::pages::form::{check_own, equal, read_form};
use crate::pages::layout::Page;
use crate::pages::visitor::Visitor;
use crate::request::{BaseUrl, Peer};
use crate::site::Site;

#[derive(Deserialize)]
struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct SignOutForm {
    #[serde(default)]
    token: String,
}

/// `GET /login`: the form.
pub(super) async fn form(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Extension(base): Extension<BaseUrl>,
    headers: HeaderMap,
) -> Response {
    if visitor.user().is_some() {
        return Redirect::to("/").into_response();
    }
    show_form(&site, &visitor, &base, &headers, None)
}

/// `POST /login`.
pub(super) async fn submit(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Extension(base): Extension<BaseUrl>,
    request: Request,
) -> Result<Response, PageError> {
    let peer = Peer::of(request.extensions());
    let headers = request.headers().clone();
    let form: SignInForm = read_form(&site, request).await?;
    let expected = form_cookie(&headers).map(form_token);
    if !expected.is_some_and(|expected| equal(&expected, &form.token)) {
        let message = "The form was too old, or your browser refuses cookies. Please try again.";
        return Ok(show_form(
            &site,
            &visitor,
            &base,
            &headers,
            Some((StatusCode::FORBIDDEN, message)),
        ));
    }
    let viewer = match sign_in(&site, form.name.trim(), &form.password, peer).await {
        Ok(viewer) => viewer,
        Err(error) => {
            let message = match &error {
                AuthError::Token(_) => AuthError::Wrong.to_string(),
                other => public_message(other),
            };
            let refusal = Some((error.status(), message.as_str()));
            return Ok(show_form(&site, &visitor, &base, &headers, refusal));
        }
    };
    let user = viewer.user().ok_or_else(PageError::not_found)?;
    let secret = site.forge.tokens.open_session(user.id).await?;
    let mut response = Redirect::to("/").into_response();
    let cookie = session_cookie(&secret, base.is_secure());
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /logout`.
pub(super) async fn sign_out(
    State(site): State<Arc<Site>>,
    Extension(base): Extension<BaseUrl>,
    request: Request,
) -> Result<Response, PageError> {
    let session = Session::of(&site, request.headers()).await?;
    let form: SignOutForm = read_form(&site, request).await?;
    if let Some((secret, expected)) = session.secret.as_ref().zip(session.form_token()) {
        check_own(Some(&expected), &form.token)?;
        site.forge.tokens.close_session(secret).await?;
    }
    let mut response = Redirect::to("/").into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, clear_cookie(base.is_secure()));
    Ok(response)
}

fn show_form(
    site: &Site,
    visitor: &Visitor,
    base: &BaseUrl,
    headers: &HeaderMap,
    refusal: Option<(StatusCode, &str)>,
) -> Response {
    let held = form_cookie(headers).map(str::to_owned);
    let fresh = || format!("{:032x}", site.runtime.random.id128());
    let cookie = held.unwrap_or_else(fresh);
    let content = html! {
        form.form method="post" action="/login" {
            h1 { "Sign in" }
            @if let Some((_, message)) = refusal { p.notice role="alert" { (message) } }
            input type="hidden" name="token" value=(form_token(&cookie));
            label for="name" { "User name or mail address" }
            input #name name="name" type="text" autocomplete="username" autocapitalize="none"
                spellcheck="false" required autofocus;
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" required;
            button type="submit" { "Sign in" }
        }
    };
    let mut response = Page {
        title: "Sign in",
        content,
    }
    .render(visitor);
    if let Some((status, _)) = refusal {
        *response.status_mut() = status;
    }
    let value = set_form_cookie(&cookie, base.is_secure());
    response.headers_mut().append(header::SET_COOKIE, value);
    response
}
