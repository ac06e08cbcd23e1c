//! `/why` on the operation listener: what this pod would answer to a visit, and what speaks for it.
//!
//! It reads, and starts nothing: no job is sent for a question. The reading is done by the threads that serve
//! visitors: the operation listener's own thread is there to answer probes.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, Uri, header::CONTENT_TYPE},
    routing::get,
};
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, chain,
    key::{AssetPath, Key},
    manifest::{Manifest, Outcome},
    names::HostName,
    purge::PurgeScope,
    record::read_manifest,
    tenant::{Tenant, source_url},
    why::{Answer, WHY_PATH, Why, WhyTenant},
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use url::{Url, form_urlencoded};

use crate::{
    policy::{Policy, Staleness, Verdict},
    web::Web,
};

/// Questions that are answered at the same time: each costs some reads of the store.
const MAX_QUESTIONS: usize = 4;
/// For one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers questions.
#[derive(Clone)]
struct Desk {
    web: Arc<Web>,
    work: Handle,
    places: Arc<Semaphore>,
}

/// The operation listener's part of the web tier. `work` is where the reading is done.
pub fn why_router(web: Arc<Web>, work: Handle) -> Router {
    let desk = Desk { web, work, places: Arc::new(Semaphore::new(MAX_QUESTIONS)) };
    Router::new().route(WHY_PATH, get(why)).with_state(desk)
}

type Told = ([(HeaderName, &'static str); 1], String);

async fn why(State(desk): State<Desk>, uri: Uri) -> Result<Told, (StatusCode, String)> {
    let Desk { web, work, places } = desk;
    let (host, path) = parse(uri.query()).map_err(|wrong| (StatusCode::BAD_REQUEST, wrong))?;
    let failed = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    let place = places.try_acquire_owned();
    let place = place.map_err(|_| failed("too many ask this pod why; ask again".to_owned()))?;
    let told = work.spawn(async move {
        let told = timeout(PATIENCE, web.tell_why(host, path)).await;
        drop(place);
        told
    });
    let told = told.await.map_err(|ended| failed(chain(&ended)))?;
    let told = told.map_err(|_| failed(format!("the store gave no answer within {PATIENCE:?}")))?;
    let why = told.map_err(|error| failed(chain(&error)))?;
    let json = serde_json::to_string(&why).expect("it holds only text and numbers, which always serialize");
    Ok(([(CONTENT_TYPE, "application/json")], json))
}

fn parse(query: Option<&str>) -> Result<(HostName, AssetPath), String> {
    let question = query.unwrap_or_default().as_bytes();
    let value = |name: &str| {
        let found = form_urlencoded::parse(question).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).ok_or_else(|| format!("the query names no {name}"))
    };
    let host = HostName::from_authority(&value("host")?).map_err(|error| error.to_string())?;
    let path = value("path")?.parse::<AssetPath>().map_err(|error| error.to_string())?;
    Ok((host, path))
}

impl Web {
    async fn tell_why(&self, host: HostName, path: AssetPath) -> Result<Why, Error> {
        let at = Timestamp::now();
        let Some(tenant) = self.tenants.lookup(&host).await? else {
            let reasons = vec![format!("no tenant of this pipeline has the host {host}")];
            let (answer, purges) = (Answer::UnknownHost, Vec::new());
            return Ok(Why { host, path, at, tenant: None, purges, manifest: None, reasons, answer });
        };
        let key = self.key_of(&tenant, path.clone());
        let manifest = read_manifest(&*self.store, &key).await?.map(|stored| stored.manifest);
        let dependencies = manifest.as_ref().and_then(|manifest| tenant.purges.of_dependencies(manifest));
        let cutoff = tenant.purges.of_path(&path).max(dependencies);
        let policy = Policy { purged: cutoff, ..self.policy_for(&tenant, &path) };
        let (answer, reasons) = explain(&policy, manifest.as_ref(), at);
        let is_about = |scope: &PurgeScope| match scope {
            PurgeScope::Path(purged) => *purged == path,
            PurgeScope::Tenant => true,
            PurgeScope::Dependency(url) => {
                manifest.as_ref().is_some_and(|manifest| manifest.may_depend_on(url))
            }
        };
        let purges = tenant.purges.records().iter().filter(|purge| is_about(&purge.scope)).cloned().collect();
        let tenant = Some(describe(&tenant, key, manifest.as_ref()));
        Ok(Why { host, path, at, tenant, purges, manifest, reasons, answer })
    }
}

fn describe(tenant: &Tenant, key: Key, manifest: Option<&Manifest>) -> WhyTenant {
    let candidates = key.path.sources();
    let mut urls = candidates.iter().filter_map(|path| source_url(&tenant.origin, path));
    let is_read = |url: &Url| {
        manifest.is_some_and(|manifest| manifest.closure.read.iter().any(|read| read.url == url.as_str()))
    };
    let first = urls.next();
    let source = first.clone().into_iter().chain(urls).find(is_read).or(first);
    WhyTenant { origin: tenant.origin.clone(), source, development: tenant.development, key }
}

/// What a visitor gets by this policy, and why.
fn explain(policy: &Policy, manifest: Option<&Manifest>, now: Timestamp) -> (Answer, Vec<String>) {
    let Some(manifest) = manifest else {
        return (
            Answer::Wait,
            vec!["nobody has asked for it yet: its first visitor waits for a job".to_owned()],
        );
    };
    let mut reasons = vec![format!("its sources were read at {}", seconds(manifest.sources_read_at))];
    let is_purged = policy.is_purged(manifest.sources_read_at);
    if let Some(purged) = policy.purged {
        reasons.push(if is_purged {
            format!("that is before {}, until when it was purged", seconds(purged))
        } else {
            format!("that is after the latest purge, which counts until {}", seconds(purged))
        });
    }
    let until = |since: Timestamp, lasts: Duration| {
        seconds(
            since.checked_add(SignedDuration::try_from(lasts).unwrap_or_default()).unwrap_or(Timestamp::MAX),
        )
    };
    match &manifest.outcome {
        Outcome::Compiled { .. } => reasons.push(format!(
            "it is fresh until {} and served stale until {}",
            until(manifest.sources_read_at, policy.max_age),
            until(manifest.sources_read_at, policy.max_stale)
        )),
        Outcome::CompileError { .. }
        | Outcome::SourceNotFound { .. }
        | Outcome::OriginFailed { .. }
        | Outcome::Abandoned { .. } => {
            let failed = match manifest.failures {
                0 | 1 => "it failed".to_owned(),
                times => format!("it failed {times} times in a row"),
            };
            reasons.push(format!(
                "{failed}; that is believed until {}",
                until(manifest.sources_read_at, policy.backoff.after(manifest.failures))
            ));
            if let Some(good) = &manifest.last_good {
                let word = if policy.is_purged(good.sources_read_at) { "was purged" } else { "is kept" };
                reasons.push(format!("the last good file, of {}, {word}", seconds(good.sources_read_at)));
            }
        }
    }
    let answer = match policy.judge(Some(manifest), now) {
        Verdict::Serve { staleness: Staleness::Fresh, .. } => Answer::Fresh,
        Verdict::Serve { staleness: Staleness::Refresh, .. } => Answer::Stale,
        Verdict::Serve { staleness: Staleness::InsteadOfFailure, .. } => Answer::LastGood,
        Verdict::Fail { .. } => Answer::Failure,
        Verdict::Wait => Answer::Wait,
    };
    (answer, reasons)
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use pipeline::{
        manifest::{Closure, MANIFEST_VERSION},
        names::{Digest, JobId},
    };

    use super::*;
    use crate::policy::{Backoff, ErrorDisplay};

    const POLICY: Policy = Policy {
        errors: ErrorDisplay::Status,
        max_age: Duration::from_mins(1),
        max_stale: Duration::from_hours(1),
        backoff: Backoff::PRODUCTION,
        purged: None,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn compiled() -> Manifest {
        Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::Compiled { digest: Digest::of(b""), encodings: Vec::new() },
            closure: Closure::default(),
            sources_read_at: at(1_000),
            modified_at: None,
            engine: "grass/0".to_owned(),
            job: JobId::random(),
            failures: 0,
            last_good: None,
        }
    }

    #[test]
    fn freshness_purges_and_failures_are_told_with_their_times() {
        let fresh = explain(&POLICY, Some(&compiled()), at(1_010));
        let told = [
            "its sources were read at 1970-01-01T00:16:40Z",
            "it is fresh until 1970-01-01T00:17:40Z and served stale until 1970-01-01T01:16:40Z",
        ];
        assert_eq!(fresh, (Answer::Fresh, told.map(str::to_owned).to_vec()));
        assert_eq!(explain(&POLICY, Some(&compiled()), at(1_100)).0, Answer::Stale);
        let purged = Policy { purged: Some(at(1_005)), ..POLICY };
        let (answer, reasons) = explain(&purged, Some(&compiled()), at(1_010));
        assert_eq!(answer, Answer::Wait);
        assert_eq!(reasons[1], "that is before 1970-01-01T00:16:45Z, until when it was purged");
        let outcome = Outcome::CompileError { message: String::new() };
        let last_good = compiled().good();
        let failed = Manifest { outcome, failures: 3, last_good, sources_read_at: at(2_000), ..compiled() };
        let (answer, reasons) = explain(&POLICY, Some(&failed), at(2_001));
        assert_eq!(answer, Answer::LastGood);
        assert_eq!(reasons[1], "it failed 3 times in a row; that is believed until 1970-01-01T00:33:40Z");
        assert_eq!(reasons[2], "the last good file, of 1970-01-01T00:16:40Z, is kept");
        let (answer, reasons) = explain(&purged, Some(&failed), at(2_001));
        assert_eq!(
            (answer, reasons[3].as_str()),
            (Answer::Failure, "the last good file, of 1970-01-01T00:16:40Z, was purged")
        );
        assert_eq!(explain(&POLICY, None, at(0)).0, Answer::Wait);
    }
}
