//! Requests for what is no style sheet: fonts, images and pages lie at the site itself, where the visitor is
//! sent.

use axum::response::Response;
use http::Uri;
use pipeline::tenant::Tenant;

use crate::{
    answer::{self, Layer},
    limits::Limit,
    visit::{NoVisit, Visit},
    web::Web,
};

impl Web {
    /// The answer to a request for anything else than a style sheet.
    pub(crate) async fn send_elsewhere(&self, uri: &Uri, headers: &http::HeaderMap) -> Response {
        let redirected = async {
            let host = Visit::host_of(uri, headers).map_err(|why| answer::no_visit(&why))?;
            let tenant = self.find_tenant(&host).await?;
            let taken = self.limits.of(&tenant).take(Limit::Requests);
            taken.map_err(|too_many| answer::rate_limited(&too_many))?;
            let location = locate(&tenant, uri).ok_or_else(|| answer::no_visit(&NoVisit::NoStyleSheet))?;
            Ok(answer::elsewhere(&location))
        };
        let response = redirected.await.unwrap_or_else(|refusal| refusal);
        self.count(Layer::None, response)
    }
}

/// Where the site has what is asked for. Nowhere, if browsers do not reach it, or come back here.
fn locate(tenant: &Tenant, asked: &Uri) -> Option<String> {
    let site = tenant.public_url().filter(|site| site.host_str() != Some(tenant.host.as_str()))?;
    let path = asked.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    path.starts_with('/').then(|| format!("{}{path}", site.as_str().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate_at(origin: &str, site: Option<&str>, asked: &'static str) -> Option<String> {
        let host = "assets.example".parse().unwrap();
        let tenant = Tenant::new(host, "t-g1".parse().unwrap(), origin.parse().unwrap());
        let tenant = Tenant { site_url: site.map(|url| url.parse().unwrap()), ..tenant };
        locate(&tenant, &Uri::from_static(asked))
    }

    #[test]
    fn files_of_the_site_are_found_below_its_url() {
        for (origin, site, asked, expected) in [
            ("https://www.example/", None, "/f/a.woff2?v=1", Some("https://www.example/f/a.woff2?v=1")),
            ("https://www.example/shop/", None, "/", Some("https://www.example/shop/")),
            (
                "http://shop.svc/",
                Some("https://www.example"),
                "/a%20b.png",
                Some("https://www.example/a%20b.png"),
            ),
            ("http://shop.svc/", None, "/a.png", None),
            ("https://www.example/", None, "//other.example/x", Some("https://www.example//other.example/x")),
            ("https://assets.example/", None, "/a.png", None),
            ("file:///srv/site/", None, "/a.png", None),
            (
                "file:///srv/site/",
                Some("http://localhost:3000/"),
                "/a.png",
                Some("http://localhost:3000/a.png"),
            ),
            ("https://www.example/", None, "*", None),
        ] {
            assert_eq!(locate_at(origin, site, asked).as_deref(), expected, "{origin} {site:?} {asked}");
        }
    }
}
