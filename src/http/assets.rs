//! The page: files inside the binary, nothing fetched from elsewhere.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "src/http/page/"]
struct PageFiles;

/// `/`: every view of the page is this document; which one is shown stands after the `#`.
pub(super) async fn index(headers: HeaderMap) -> Result<Response, ApiError> {
    serve_file("index.html", &headers)
}

/// `/assets/…`: scripts, styles and pictures.
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    serve_file(&path, &headers)
}

fn serve_file(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let unknown = || ApiError::NoRoute { found: format!("/assets/{}", path.chars().take(200).collect::<String>()) };
    let file = PageFiles::get(path).ok_or_else(unknown)?;
    let tag = entity_tag(&file);
    // Always asked, mostly answered with 304: a new binary is never shown with the scripts of the old one.
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, [(header::CONTENT_TYPE, media_type(path))], file.data).into_response())
}

fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash: String = file.metadata.sha256_hash()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_has_a_media_type_and_fetches_nothing_from_elsewhere() {
        for path in PageFiles::iter() {
            assert_ne!(media_type(&path), "application/octet-stream", "{path}");
            if path.starts_with("vendor/") {
                continue;
            }
            let file = PageFiles::get(&path).unwrap();
            let text = String::from_utf8(file.data.into_owned()).unwrap();
            for (at, _) in text.match_indices("://") {
                let around = &text[at.saturating_sub(12)..(at + 30).min(text.len())];
                assert!(around.contains("www.w3.org"), "{path}: {around}");
            }
        }
        assert!(PageFiles::get("index.html").is_some());
    }
}
