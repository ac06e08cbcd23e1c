//! `dev`: web, worker, queue and store in one process, with nothing else installed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use pipeline::{
    embedded::{DiskStore, MemoryNotifier, MemoryQueue, SingleTenant},
    options::{CompileOptions, SourceMaps},
    rate::RateLimits,
    settings::OnOff,
    shutdown,
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, LiveSettings, Policy, ServeSettings, Web, WebPorts,
    WebSettings,
    metrics::WebMetrics,
    public_router, serve as serve_web,
    settings::{MAX_WATCHED, REFRESH_EVERY},
};
use worker::{
    Compiler, Worker, WorkerPorts, WorkerSettings,
    metrics::WorkerMetrics,
    origin::{FileOrigin, OriginCredentials},
    settings::{COMPILE_LIMITS, RUN_LIMIT, SOURCE_LIMITS},
};

use crate::site;

const HOLD: Duration = Duration::from_secs(25);
const VISIBILITY: Duration = Duration::from_secs(8);
const MAX_HELD: usize = 1_000;
const MAX_RECEIVE_COUNT: u32 = 100;
const CONCURRENCY: u16 = 2;
/// Open pages; a developer has few.
const MAX_STREAMS: usize = 100;

/// On a laptop every visit asks for what the files say now, failures included: there is no origin that would
/// have to be spared. Errors are shown in the page.
const POLICY: Policy = Policy {
    errors: ErrorDisplay::Show,
    max_age: Duration::ZERO,
    max_stale: Duration::ZERO,
    backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
    purged: None,
};

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// Folder of the site: /x.css is its x.scss, compiled
    dir: PathBuf,
    /// Address to serve at
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder in which imports are looked for, too; may be given several times
    #[arg(long = "load-path", value_name = "DIR")]
    load_paths: Vec<PathBuf>,
    /// Where the rest of the site runs: fonts and images of the CSS are looked for there
    #[arg(long, value_name = "URL", value_parser = parse_site_url)]
    site_url: Option<Url>,
    /// How compile errors are answered: shown in the page, or by a status that browsers ignore
    #[arg(long, value_enum, default_value_t = ErrorDisplay::Show)]
    errors: ErrorDisplay,
    /// Let the browser's developer tools show the Sass
    #[arg(long)]
    source_maps: bool,
}

#[tokio::main]
pub(crate) async fn serve(arguments: DevArguments) -> anyhow::Result<()> {
    let DevArguments { dir, listen, load_paths, site_url, errors, source_maps } = arguments;
    let root = site::open(&dir)?;
    let load_roots =
        load_paths.iter().map(|path| site::open_folder(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener
        .with_context(|| format!("cannot serve at {listen}; choose another address with --listen"))?;
    let shutdown = shutdown::on_signal().context("cannot listen for signals")?;

    let folder = tempfile::tempdir().context("cannot make a temporary folder for compiled files")?;
    let store = Arc::new(DiskStore::open(folder.path()).context("cannot use the temporary folder")?);
    let queue = Arc::new(MemoryQueue::new(MAX_RECEIVE_COUNT));
    let refresh_queue = Arc::new(MemoryQueue::new(MAX_RECEIVE_COUNT));
    let notifier = Arc::new(MemoryNotifier::default());
    let source_maps = if source_maps { SourceMaps::Inline } else { SourceMaps::None };
    let options = CompileOptions { source_maps, ..CompileOptions::default() };
    let tenant = Tenant { site_url, ..tenant_of(&root, load_roots.len(), errors)? };

    let ports = WebPorts {
        store: store.clone(),
        queue: queue.clone(),
        refresh_queue: refresh_queue.clone(),
        tenants: Arc::new(SingleTenant(Arc::new(tenant))),
        direct: None,
        fleet: Arc::new(Fleet::alone()),
    };
    let web = Web::new(ports, web_settings(errors, options), WebMetrics::register(&mut Registry::default()));
    let web = Arc::new(web.with_live_reload(live_settings(shutdown.clone())));
    let hearing = tokio::spawn(hear(web.clone(), notifier.subscribe()));

    let ports = WorkerPorts {
        queue,
        refresh_queue,
        store,
        notifier,
        origin: Arc::new(FileOrigin { root: root.clone(), load_roots }),
        direct: None,
    };
    let worker =
        Worker::new(ports, worker_settings().await?, WorkerMetrics::register(&mut Registry::default()));
    let working = tokio::spawn(Arc::new(worker).work(shutdown.clone()));

    introduce(&dir, &root, listener.local_addr()?)?;
    serve_web(listener, public_router(web), ServeSettings::PUBLIC, shutdown).await?;
    working.await.context("the worker failed")?;
    hearing.abort();
    Ok(())
}

fn tenant_of(root: &Path, load_roots: usize, errors: ErrorDisplay) -> anyhow::Result<Tenant> {
    let origin =
        Url::from_directory_path(root).ok().context("the folder's path cannot be written as a URL")?;
    Ok(Tenant {
        load_paths: (0..load_roots).map(FileOrigin::load_path).collect(),
        // Sites in development always have their errors shown.
        development: errors == ErrorDisplay::Show,
        ..Tenant::new("localhost".parse()?, "local".parse()?, origin)
    })
}

fn parse_site_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    let is_site =
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if is_site {
        Ok(url)
    } else {
        Err("it must be an http or https URL without query or fragment".to_owned())
    }
}

fn live_settings(ended: CancellationToken) -> LiveSettings {
    LiveSettings {
        max_streams: MAX_STREAMS,
        max_streams_per_tenant: MAX_STREAMS,
        max_watched: MAX_WATCHED,
        max_watched_per_tenant: MAX_WATCHED,
        refresh_every: REFRESH_EVERY,
        ended,
    }
}

fn web_settings(errors: ErrorDisplay, options: CompileOptions) -> WebSettings {
    let hold = HoldSettings {
        hold: HOLD,
        max_held: MAX_HELD,
        max_held_of_tenant: MAX_HELD,
        max_waits: 0,
        recheck: OnOff::On,
        reply_to: None,
        options,
    };
    let policy = Policy { errors, ..POLICY };
    WebSettings { policy, hold, limits: RateLimits::default(), topic: None }
}

async fn worker_settings() -> anyhow::Result<WorkerSettings> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut compiler = Compiler::new(program, COMPILE_LIMITS);
    compiler.keep_warm_for(CONCURRENCY).await.context("cannot run a confined compile child")?;
    Ok(WorkerSettings {
        concurrency: CONCURRENCY,
        visibility: VISIBILITY,
        run_limit: RUN_LIMIT,
        source_limits: SOURCE_LIMITS,
        credentials: OriginCredentials::default(),
        compiler,
    })
}

/// Passes the worker's notices on to the visitors who wait.
async fn hear(web: Arc<Web>, mut notices: tokio::sync::broadcast::Receiver<pipeline::notice::Notice>) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match notices.recv().await {
            Ok(notice) => web.hear(&notice),
            // The re-check finds what was missed.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn introduce(dir: &Path, root: &Path, address: SocketAddr) -> anyhow::Result<()> {
    println!("Serving {} at http://{address}; stop with Ctrl-C.", dir.display());
    let sheets = site::style_sheets(root).with_context(|| format!("cannot read {}", dir.display()))?;
    if sheets.is_empty() {
        println!(
            "  There is no style sheet in it yet: {0}/app.scss would be http://{address}/app.css.",
            dir.display()
        );
    }
    for sheet in sheets {
        println!("  http://{address}{sheet}");
    }
    Ok(())
}
