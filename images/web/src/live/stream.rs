//! One page's stream of events.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream::unfold};
use pipeline::{key::AssetPath, names::TenantId, tenant::Tenant};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Live,
    watches::{Full, News, State},
};
use crate::web::Web;

/// Well below the 60 s after which load balancers drop a silent connection, and often enough that a page
/// that has gone is noticed soon.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// After this time a stream ends and the page asks for the next one, so that none outlives a change of its
/// site's registration by long.
const STREAM_LIFE: Duration = Duration::from_mins(10);
/// News that wait for a page to read them; more than one for each style sheet that it may listen for.
const BACKLOG: usize = 64;
/// The page's browser connects again this soon after a stream has ended.
const HELLO: &[u8] = b"retry: 1000\n\n";
/// A comment: it keeps the connection alive and means nothing.
const BEAT: &[u8] = b":\n\n";

/// The events of the style sheets at `paths`, each named as the page named it. What was joined before there
/// is no more room ends by itself.
pub(super) fn open(
    web: &Arc<Web>,
    live: &Live,
    tenant: &Arc<Tenant>,
    paths: HashMap<String, AssetPath>,
    place: Place,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static, Full> {
    let (sender, news) = mpsc::channel(BACKLOG);
    for (label, path) in paths {
        let order = web.order_now(tenant.clone(), path);
        live.watches.join(web, order, label.into(), sender.clone())?;
    }
    let ended = live.ended.clone();
    let until = Instant::now() + STREAM_LIFE;
    let page = Page { news, ended, until, greeting: Greeting::Owed, _place: place };
    Ok(unfold(page, |mut page| async move { Some((Ok(page.next().await?), page)) }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Owed,
    Said,
}

struct Page {
    news: mpsc::Receiver<News>,
    ended: CancellationToken,
    until: Instant,
    greeting: Greeting,
    _place: Place,
}

impl Page {
    /// The next bytes, or `None` when the stream's time is up, the process is about to end, or the page was
    /// too slow.
    async fn next(&mut self) -> Option<Bytes> {
        if self.greeting == Greeting::Owed {
            self.greeting = Greeting::Said;
            return Some(Bytes::from_static(HELLO));
        }
        tokio::select! {
            () = self.ended.cancelled() => None,
            () = sleep_until(self.until) => None,
            heard = timeout(HEARTBEAT, self.news.recv()) => match heard {
                Ok(news) => Some(to_event(&news?)),
                Err(_) => Some(Bytes::from_static(BEAT)),
            },
        }
    }
}

/// JSON has no line breaks outside its strings and writes those in them as escapes: one line of data.
fn to_event(news: &News) -> Bytes {
    let data = match &news.state {
        State::Good { digest } => json!({"path": &*news.label, "digest": digest}),
        State::Bad { error } => json!({"path": &*news.label, "error": error}),
    };
    Bytes::from(format!("data: {data}\n\n"))
}

/// How many streams are open, and whose.
pub(super) struct Places {
    max: usize,
    max_per_tenant: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

impl Places {
    pub(super) fn new(max: usize, max_per_tenant: usize) -> Self {
        Self { max, max_per_tenant, taken: Mutex::default() }
    }

    /// A place for one more stream of this tenant, unless all are taken.
    pub(super) fn take(self: &Arc<Self>, tenant: &TenantId) -> Option<Place> {
        let mut taken = self.lock();
        let own = taken.get(tenant).copied().unwrap_or_default();
        if own >= self.max_per_tenant || taken.values().sum::<usize>() >= self.max {
            return None;
        }
        taken.insert(tenant.clone(), own + 1);
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        // No code panics while it holds the lock half-way through a change.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream's place, free again when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    tenant: TenantId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}
