//! Headers that tenants' origins are asked with: a folder, as a mounted Secret is one, with a file for each
//! origin's host that holds `Name: value`.
//!
//! A file is read when a job needs it, so that a rotation reaches workers that run. By the host in its name it is
//! for one origin, whichever tenant names that, and never sent to another.

use std::{io, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use pipeline::{
    names::HostName,
    ports::{Fetched, Origin, OriginError, OriginHeader, Validators},
};
use tokio::fs;
use url::Url;

/// Where credentials lie; nowhere, if there are none.
#[derive(Debug, Clone, Default)]
pub struct OriginCredentials {
    pub folder: Option<PathBuf>,
}

impl OriginCredentials {
    /// `origin`, asked with what the file of `site`'s host holds. Where that cannot be used, asking fails.
    pub(crate) async fn in_front_of(&self, origin: Arc<dyn Origin>, site: &Url) -> Arc<dyn Origin> {
        match self.find(site).await {
            Ok(None) => origin,
            Ok(Some((name, value))) => {
                origin.with_header(OriginHeader { origin: site.origin(), name, value }).unwrap_or(origin)
            }
            Err(error) => Arc::new(Closed(error)),
        }
    }

    async fn find(&self, site: &Url) -> Result<Option<(HeaderName, HeaderValue)>, OriginError> {
        // An address has no file.
        let host = site.domain().and_then(|host| host.parse::<HostName>().ok());
        let (Some(folder), Some(host)) = (&self.folder, host) else { return Ok(None) };
        let text = match fs::read_to_string(folder.join(host.as_str())).await {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                tracing::error!(%host, %error, "could not read the credentials for an origin");
                return Err(OriginError::Failed(format!("the credentials for {host} cannot be read")));
            }
        };
        let wrong = || OriginError::Failed(format!("the credentials for {host} are no header (Name: value)"));
        parse(&text).ok_or_else(wrong).map(Some)
    }
}

/// An origin that is not asked.
struct Closed(OriginError);

#[async_trait]
impl Origin for Closed {
    async fn fetch(&self, _url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        Err(self.0.clone())
    }
}

fn parse(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.trim().split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok().filter(|value| !value.is_empty())?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says by its error what it is asked with.
    struct Asked(Option<OriginHeader>);

    #[async_trait]
    impl Origin for Asked {
        async fn fetch(&self, _url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
            let with = self.0.as_ref().map_or("nothing".to_owned(), |header| {
                format!("{} {}", header.name, header.value.to_str().unwrap())
            });
            Err(OriginError::Failed(format!("asked with {with}")))
        }

        fn with_header(&self, header: OriginHeader) -> Option<Arc<dyn Origin>> {
            Some(Arc::new(Self(Some(header))))
        }
    }

    #[tokio::test]
    async fn origin_is_asked_with_the_file_of_its_host_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        for (host, text) in [("www.shop.example", "Authorization: Bearer a:b\n"), ("broken.example", "abc")] {
            std::fs::write(folder.path().join(host), text).unwrap();
        }
        let credentials = OriginCredentials { folder: Some(folder.path().to_owned()) };
        for (credentials, site, expected) in [
            (&credentials, "https://WWW.shop.example:8443/a/", "asked with authorization Bearer a:b"),
            (&credentials, "https://other.example/", "asked with nothing"),
            (&credentials, "http://10.0.0.1/", "asked with nothing"),
            (&credentials, "file:///srv/site/", "asked with nothing"),
            (
                &credentials,
                "https://broken.example/",
                "the credentials for broken.example are no header (Name: value)",
            ),
            (&OriginCredentials::default(), "https://www.shop.example/", "asked with nothing"),
        ] {
            let site: Url = site.parse().unwrap();
            let origin = credentials.in_front_of(Arc::new(Asked(None)), &site).await;
            let error = origin.fetch(&site, None).await.unwrap_err();
            assert_eq!(error, OriginError::Failed(expected.to_owned()));
        }
    }

    #[test]
    fn only_a_header_is_taken_and_marked_as_sensitive() {
        assert!(parse("X-Token: t").unwrap().1.is_sensitive());
        for wrong in ["", "Authorization", "Authorization:", "a b: c", "A: b\nC: d", ": x"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
