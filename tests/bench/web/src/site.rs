//! The site that is measured, and a web tier that serves it as its program does, on embedded ports.

use std::{io::Write, num::NonZeroU32, sync::Arc, time::Duration};

use bytes::Bytes;
use pipeline::{
    embedded::{MemoryQueue, MemoryStore},
    options::CompileOptions,
    ports::{Condition, Store},
    purge::PurgedTenants,
    rate::{COLD_PATHS_PER_MINUTE, MISSES_PER_SECOND, RateLimits},
    registry::StoreTenants,
    settings::OnOff,
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Policy, Web, WebPorts, WebSettings, metrics::WebMetrics,
};

/// What visitors ask for.
pub(crate) const HOST: &str = "assets.shop.example";

/// Visitors and waits at the same time: more than any bench has.
const MAX_HELD: usize = 20_000;

/// Fresh for longer than a run lasts, so that every answer is a hit.
const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_hours(2),
    max_stale: Duration::from_hours(24),
    backoff: Backoff::PRODUCTION,
    purged: None,
};

/// Every request is counted, as ever, and none is too many.
const LIMITS: RateLimits = RateLimits {
    requests_per_second: NonZeroU32::new(100_000_000).expect("it is not 0"),
    misses_per_second: MISSES_PER_SECOND,
    cold_paths_per_minute: COLD_PATHS_PER_MINUTE,
};

/// The one tenant.
pub(crate) fn tenant() -> anyhow::Result<Tenant> {
    Ok(Tenant::new(HOST.parse()?, "shop-g1".parse()?, "https://www.shop.example/".parse()?))
}

/// Makes the tenant known.
pub(crate) async fn register(store: &MemoryStore) -> anyhow::Result<()> {
    let tenant = tenant()?;
    let name = registry_object(&tenant.host);
    let (owner, label) = ("bench".to_owned(), "shop".to_owned());
    let registration = Registration { version: REGISTRATION_VERSION, owner, label, generation: 1, tenant };
    store.put(&name, Bytes::from(serde_json::to_vec(&registration)?), Condition::IfAbsent).await?;
    Ok(())
}

/// The web tier over this store, whose jobs nobody takes. Visitors are held for `hold`.
pub(crate) fn web(store: Arc<MemoryStore>, hold: Duration, registry: &mut Registry) -> Arc<Web> {
    let ports = WebPorts {
        store: store.clone(),
        queue: Arc::new(MemoryQueue::new(100)),
        refresh_queue: Arc::new(MemoryQueue::new(100)),
        tenants: Arc::new(PurgedTenants::new(StoreTenants::new(store.clone()), store)),
        direct: None,
        fleet: Arc::new(Fleet::alone()),
    };
    let hold = HoldSettings {
        hold,
        max_held: MAX_HELD,
        max_held_of_tenant: MAX_HELD,
        max_waits: MAX_HELD,
        recheck: OnOff::On,
        reply_to: None,
        options: CompileOptions::default(),
    };
    let settings = WebSettings { policy: POLICY, hold, limits: LIMITS, topic: None };
    let web = Arc::new(Web::new(ports, settings, WebMetrics::register(registry)));
    web.register(registry);
    web
}

/// Tells the one who started this process where it listens.
pub(crate) fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{}", listener.local_addr()?)?;
    Ok(output.flush()?)
}
