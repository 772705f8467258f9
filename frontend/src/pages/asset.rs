use axum::response::IntoResponse;
use http::header;

/// The only style sheet.
const STYLE: &str = include_str!("style.css");

/// Where the style sheet is. The release in the address lets browsers keep it.
pub(super) const STYLE_PATH: &str = concat!("/-/", env!("CARGO_PKG_VERSION"), "/style.css");

/// `GET` the style sheet.
pub(super) async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, STYLE)
}
