//! Where an answer sends its reader on to. Whether that may be asked is not decided here, but for https,
//! which is not left again.

use http::{Response, StatusCode, header::LOCATION};
use pipeline::ports::{Fetched, OriginError, SourceFile};
use url::Url;

/// A longer URL is not followed: it would stand in messages and logs.
const MAX_LOCATION_BYTES: usize = 2 << 10;

/// The URL that the answer of `from` redirects to; `None` where it is no redirect.
pub(super) fn target<B>(from: &Url, response: &Response<B>) -> Result<Option<Url>, OriginError> {
    let status = response.status();
    if !is_redirect(status) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location
        .filter(|location| location.len() <= MAX_LOCATION_BYTES)
        .and_then(|location| from.join(location).ok());
    let Some(target) = target else {
        let problem = format!("{} answered {} without a usable Location", shown(from), status.as_u16());
        return Err(OriginError::Failed(problem));
    };
    if from.scheme() == "https" && target.scheme() == "http" {
        let (from, target) = (shown(from), shown(&target));
        return Err(OriginError::Refused(format!("{from} redirects away from https, to {target}")));
    }
    Ok(Some(target))
}

/// Says of a later hop's error which URL led there.
pub(super) fn came_from(asked: &Url, error: OriginError) -> OriginError {
    let say = |message| format!("{} redirects: {message}", shown(asked));
    match error {
        OriginError::Failed(message) => OriginError::Failed(say(message)),
        OriginError::TimedOut(message) => OriginError::TimedOut(say(message)),
        OriginError::Refused(message) => OriginError::Refused(say(message)),
    }
}

/// A file of another URL than the one that was asked for: its validators say nothing of that one.
pub(super) fn without_validators(fetched: Fetched) -> Fetched {
    match fetched {
        Fetched::Found(SourceFile { body, etag: _, last_modified: _ }) => {
            Fetched::Found(SourceFile { body, etag: None, last_modified: None })
        }
        other @ (Fetched::Absent | Fetched::NotModified) => other,
    }
}

/// The URL as visitors may see it: redirects carry signatures and passwords.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Neither can fail for an http URL, and what is no http URL is not asked.
    url.set_username("").ok();
    url.set_password(None).ok();
    url.into()
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, location: &str) -> Result<Option<Url>, OriginError> {
        let response = Response::builder().status(StatusCode::FOUND).header(LOCATION, location);
        target(&from.parse().unwrap(), &response.body(()).unwrap())
    }

    #[test]
    fn https_is_not_left_for_http() {
        for (from, location, expected) in [
            ("http://a.example/x", "https://a.example/x", "https://a.example/x"),
            ("https://a.example/x", "//b.example/y", "https://b.example/y"),
            ("https://a.example/x/", "../y", "https://a.example/y"),
            ("http://a.example/x", "http://b.example:8080/y", "http://b.example:8080/y"),
        ] {
            assert_eq!(redirect(from, location), Ok(Some(expected.parse().unwrap())), "{from} to {location}");
        }
        let left = redirect("https://a.example/x", "http://user:secret@a.example/x?token=secret");
        let message = "https://a.example/x redirects away from https, to http://a.example/x".to_owned();
        assert_eq!(left, Err(OriginError::Refused(message)));
    }
}
