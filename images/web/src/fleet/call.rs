//! The wire between two pods: what is signed, and what is believed.
//!
//! The asker signs its request. The owner signs its answer together with the request's signature, so that
//! an answer is believed for the very request that it was given to, and for no other key.

use axum::http::{HeaderMap, Method, Request, Response, header::CONTENT_TYPE};
use bytes::Bytes;
use jiff::Timestamp;
use pipeline::signature::{SIGNATURE_HEADER, SigningKeys};
use serde::Serialize;

use super::{WAIT_PATH, WAIT_VERSION, WaitAnswer, WaitRequest};

/// The signed request, and its signature.
pub(super) fn seal(keys: &SigningKeys, request: &WaitRequest, now: Timestamp) -> (String, Request<Bytes>) {
    let body = to_json(request);
    let signature = keys.sign(&body, now);
    let request = build(Method::POST, WAIT_PATH.to_owned(), Some(&signature), body);
    (signature, request)
}

/// The request, if a pod of this pipeline signed it and this build understands it.
pub(super) fn open(
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<WaitRequest, Refusal> {
    if !keys.is_signed(signature_of(headers), body, now) {
        return Err(Refusal::NotSigned);
    }
    let request: WaitRequest = serde_json::from_slice(body).map_err(|_| Refusal::NotUnderstood)?;
    let is_whole = request.version == WAIT_VERSION && request.key.tenant_id == request.tenant.id;
    if is_whole { Ok(request) } else { Err(Refusal::NotUnderstood) }
}

/// Why a request is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotSigned,
    NotUnderstood,
}

/// The answer's signature and body.
pub(super) fn seal_answer(
    keys: &SigningKeys,
    request_signature: &str,
    answer: &WaitAnswer,
    now: Timestamp,
) -> (String, Bytes) {
    let body = to_json(answer);
    (keys.sign(&bound(request_signature, &body), now), body)
}

/// The answer, if it was signed for the request with this signature.
pub(super) fn open_answer(
    keys: &SigningKeys,
    request_signature: &str,
    answer: &Response<Bytes>,
    now: Timestamp,
) -> Option<WaitAnswer> {
    let body = answer.body();
    let is_signed = keys.is_signed(signature_of(answer.headers()), &bound(request_signature, body), now);
    is_signed.then(|| serde_json::from_slice(body).ok()).flatten()
}

pub(super) fn build(method: Method, path: String, signature: Option<&str>, body: Bytes) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    if let Some(signature) = signature {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    request.body(body).expect("a path of ours and a signature are visible ASCII")
}

pub(crate) fn signature_of(headers: &HeaderMap) -> &str {
    headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// No request and no notice begins like this: both are JSON.
fn bound(request_signature: &str, body: &[u8]) -> Vec<u8> {
    [request_signature.as_bytes(), b"\n", body].concat()
}

fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("it holds only text and numbers, which always serialize").into()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use pipeline::{
        manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome},
        names::JobId,
        tenant::Tenant,
    };

    use super::{super::Member, *};

    fn keys() -> SigningKeys {
        SigningKeys::from_text("0123456789abcdef").unwrap()
    }

    fn request(path: &str) -> WaitRequest {
        let tenant = Tenant::new(
            "shop.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "http://origin.example/".parse().unwrap(),
        );
        WaitRequest {
            version: WAIT_VERSION,
            to: Member(([10, 0, 0, 2], 8081).into()),
            key: pipeline::key::Key {
                fingerprint: "00112233445566aa".parse().unwrap(),
                tenant_id: tenant.id.clone(),
                path: path.parse().unwrap(),
            },
            tenant,
            asked_at: Timestamp::UNIX_EPOCH,
            accepts: crate::hold::Accepts::Served,
            purged: None,
            task: pipeline::job::Task::Compile,
            purpose: crate::hold::Purpose::Visit,
            traceparent: None,
        }
    }

    fn answer() -> WaitAnswer {
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::SourceNotFound { message: "gone".to_owned() },
            closure: Closure::default(),
            sources_read_at: Timestamp::UNIX_EPOCH,
            engine: "grass/0".to_owned(),
            job: JobId::random(),
            failures: 0,
            last_good: None,
            modified_at: None,
        };
        WaitAnswer { job: Some(manifest.job.clone()), manifest }
    }

    fn respond(signature: &str, body: Bytes) -> Response<Bytes> {
        Response::builder().header(SIGNATURE_HEADER, signature).body(body).unwrap()
    }

    #[test]
    fn request_is_read_as_it_was_sealed_and_only_while_its_signature_holds() {
        let now = Timestamp::now();
        let (_, sealed) = seal(&keys(), &request("/app.css"), now);
        let read = |keys: &SigningKeys, body: &[u8], now| open(keys, sealed.headers(), body, now);
        let opened = read(&keys(), sealed.body(), now).unwrap();
        assert_eq!((opened.key, opened.tenant), (request("/app.css").key, request("/app.css").tenant));
        let late = now + SignedDuration::from_secs(62);
        assert_eq!(read(&keys(), sealed.body(), late).unwrap_err(), Refusal::NotSigned);
        let other = SigningKeys::from_text("fedcba9876543210").unwrap();
        assert_eq!(read(&other, sealed.body(), now).unwrap_err(), Refusal::NotSigned);
        assert_eq!(read(&keys(), b"{}", now).unwrap_err(), Refusal::NotSigned);
    }

    #[test]
    fn signed_texts_of_another_kind_version_or_tenant_are_no_request() {
        let now = Timestamp::now();
        let mut foreign = request("/app.css");
        foreign.key.tenant_id = "other-g1".parse().unwrap();
        let newer = WaitRequest { version: WAIT_VERSION + 1, ..request("/app.css") };
        for body in [to_json(&answer()), to_json(&foreign), to_json(&newer)] {
            let mut headers = HeaderMap::new();
            headers.insert(SIGNATURE_HEADER, keys().sign(&body, now).parse().unwrap());
            assert_eq!(open(&keys(), &headers, &body, now).unwrap_err(), Refusal::NotUnderstood);
        }
    }

    #[test]
    fn answer_is_believed_for_its_own_request_only() {
        let now = Timestamp::now();
        let (signature, _) = seal(&keys(), &request("/app.css"), now);
        let (other, _) = seal(&keys(), &request("/other.css"), now);
        let given = answer();
        let (signed, body) = seal_answer(&keys(), &signature, &given, now);
        let believed = open_answer(&keys(), &signature, &respond(&signed, body.clone()), now).unwrap();
        assert_eq!((believed.job, believed.manifest), (given.job, given.manifest));
        assert!(open_answer(&keys(), &other, &respond(&signed, body.clone()), now).is_none());
        let unbound = keys().sign(&body, now);
        assert!(open_answer(&keys(), &signature, &respond(&unbound, body), now).is_none());
        assert!(
            open_answer(&keys(), &signature, &respond(&signed, Bytes::from_static(b"{}")), now).is_none()
        );
    }
}
