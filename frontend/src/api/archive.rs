use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use domain::{Action, Viewer};
use http::Extensions;

use crate::api::{ApiError, lookup};
use crate::content::{Asked, archive};
use crate::repository::View;
use crate::request::Peer;
use crate::site::Site;

/// `GET /repos/{owner}/{name}/archive/{revision}.{format}`; `path` as often as one likes.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name, asked)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let paths = paths(query.as_deref().unwrap_or_default());
    let asked = Asked::parse(&view, &asked, paths).ok_or_else(ApiError::not_found)?;
    let peer = Peer::of(&extensions);
    Ok(archive(&site, &view, &row, &viewer, peer, asked).await?)
}

/// The values of `path` in a query.
fn paths(query: &str) -> Vec<Vec<u8>> {
    let values = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("path="));
    values.map(decode).collect()
}

/// Undoes the encoding of a form's value.
fn decode(value: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digit = |at: usize| (*after.get(at)? as char).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(*byte),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn paths_are_decoded() {
        let found = paths("x=1&path=a%2Fb+c&path=100%&path=");
        assert_eq!(found, [b"a/b c".to_vec(), b"100%".to_vec(), Vec::new()]);
    }
}
