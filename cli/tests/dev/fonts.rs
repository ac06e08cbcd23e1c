//! Font Awesome's fonts in a browser, by the style sheets of its npm package as they stand there.

use std::path::PathBuf;

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header::ACCESS_CONTROL_ALLOW_ORIGIN},
    response::IntoResponse,
    routing::get,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    browser::{Page, link},
    process::Dev,
};

/// The package, with its Sass in `scss` and its fonts in `webfonts`.
fn package() -> PathBuf {
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpus/oracle");
    let package = PathBuf::from(oracle).join("node_modules/@fortawesome/fontawesome-free");
    assert!(package.exists(), "{} is missing: `cargo xtask test` fetches it", package.display());
    package
}

/// Whether pages of other sites may use the site's fonts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cors {
    Any,
    None,
}

/// The site's own server of fonts.
fn fonts(cors: Cors) -> Router {
    let font = async move |Path(name): Path<String>| {
        let read = tokio::fs::read(package().join("webfonts").join(name)).await;
        let Ok(font) = read else { return StatusCode::NOT_FOUND.into_response() };
        let mut response = font.into_response();
        if cors == Cors::Any {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        response
    };
    Router::new().route("/webfonts/{name}", get(font))
}

async fn dev(site: &TcpListener) -> Dev {
    let url = format!("http://{}/", site.local_addr().unwrap());
    Dev::start(&package(), &["--site-url", &url]).await
}

fn has(look: &Value, family: &str) -> bool {
    look["fonts"].as_array().unwrap().iter().any(|font| font.as_str().unwrap().contains(family))
}

const STAR: &str = r#"<i class="fa-solid fa-star"></i>"#;

#[tokio::test]
async fn font_is_loaded_from_the_site_whose_page_it_is() {
    let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dev = dev(&site).await;
    let head = link(&dev, "/scss/fontawesome.css") + &link(&dev, "/scss/solid.css") + STAR;
    let mut page = Page::open_at(site, &head, fonts(Cors::None));
    page.until("the font", |look| has(look, "Font Awesome")).await;
    page.close().await;
}

#[tokio::test]
async fn page_of_another_site_gets_the_font_too_where_the_site_allows_it() {
    let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dev = dev(&site).await;
    tokio::spawn(async move { axum::serve(site, fonts(Cors::Any)).await.unwrap() });
    // The one by its style sheet, the other one by a redirect.
    let face = format!(
        "<style>@font-face {{ font-family: redirected; src: url(http://{}/webfonts/fa-regular-400.woff2) }} \
         p {{ font-family: redirected }}</style>",
        dev.address
    );
    let head = link(&dev, "/scss/fontawesome.css") + &link(&dev, "/scss/solid.css") + &face + STAR;
    let mut page = Page::open(&head).await;
    page.until("both fonts", |look| has(look, "Font Awesome") && has(look, "redirected")).await;
    page.close().await;
}
