//! What an origin's distance costs: the same style sheet from an origin on this machine and from one behind a
//! proxy that delays each byte, through the whole of fetching and compiling.
//!
//! A connection of loopback is made without a delay, so that the proxy delays what is said on it and not its
//! making. Each run begins without connections.

use std::{
    env,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use bench_report::{Spread, verdict};
use ipnet::IpNet;
use pipeline::options::{CompileOptions, Engine};
use tokio::{task::spawn_blocking, time::sleep};
use url::Url;
use worker::{
    Compiler, LoneSheet,
    origin::{Guard, HttpOrigin},
    settings::{COMPILE_LIMITS, FETCH_TIMEOUT},
};

use crate::{
    material::Site,
    serial::SerialSite,
    server::{delay, serve},
};

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Bootstrap's entry imports `_mixins.scss`, which imports `mixins/_breakpoints.scss`.
const IMPORT_DEPTH: u32 = 2;
/// Beside one for each level: the entry, and one that may go wrong.
const SPARE_ROUND_TRIPS: u32 = 2;

pub(crate) const FULL: usize = 31;
pub(crate) const QUICK: usize = 5;
const REST: Duration = Duration::from_millis(50);

/// Times in seconds; runs of one place were made one after the other.
pub(crate) struct Distance {
    near: Vec<f64>,
    far: Vec<f64>,
    /// One request after the other, by the paths that the engine tries; once.
    serial: f64,
    serial_requests: usize,
}

pub(crate) async fn measure(runs: usize, checkout: &Path) -> anyhow::Result<Distance> {
    let mut compiler = Compiler::new(env::current_exe()?, COMPILE_LIMITS);
    compiler.keep_warm_for(1).await.context("cannot run a confined child")?;
    let site = Arc::new(Site::bootstrap(checkout)?);
    let near_at = serve(site.clone()).await?;
    let far_at = delay(near_at, ROUND_TRIP / 2).await?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    let mut css = None;
    for run in 0..=runs {
        let order = if run % 2 == 0 {
            [(near_at, &mut near), (far_at, &mut far)]
        } else {
            [(far_at, &mut far), (near_at, &mut near)]
        };
        for (address, times) in order {
            let (made, seconds) = compile(&compiler, address, &site.entry).await?;
            ensure!(*css.get_or_insert_with(|| made.clone()) == made, "two runs made different style sheets");
            // The first pair is for warmth.
            if run > 0 {
                times.push(seconds);
            }
            sleep(REST).await;
        }
    }
    let entry = site.entry.clone();
    let (serial_css, serial, serial_requests) =
        spawn_blocking(move || compile_serially(far_at, &entry)).await??;
    ensure!(css == Some(serial_css), "the serial run made another style sheet");
    Ok(Distance { near, far, serial, serial_requests })
}

async fn compile(compiler: &Compiler, address: SocketAddr, entry: &str) -> anyhow::Result<(String, f64)> {
    let loopback = IpNet::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 32)?;
    let origin = Arc::new(HttpOrigin::new(Guard { private_networks: vec![loopback] }, FETCH_TIMEOUT)?);
    let base: Url = format!("http://{address}/").parse()?;
    let options = CompileOptions { engine: Engine::Grass, ..CompileOptions::default() };
    let mut sheet = LoneSheet::new(origin, base, entry, options);
    let started = Instant::now();
    let css = sheet.compile(compiler).await;
    let seconds = started.elapsed().as_secs_f64();
    Ok((css.map_err(|error| anyhow!(error))?.css, seconds))
}

fn compile_serially(address: SocketAddr, entry: &str) -> anyhow::Result<(String, f64, usize)> {
    let site = SerialSite::connect(address)?;
    let options = grass::Options::default().fs(&site).quiet(true);
    let started = Instant::now();
    let css = grass::from_path(entry, &options).map_err(|error| anyhow!("{error}"))?;
    Ok((css, started.elapsed().as_secs_f64(), site.requests()))
}

impl Distance {
    /// What the distance added, in the middle of all pairs.
    fn added(&self) -> f64 {
        let added = self.near.iter().zip(&self.far).map(|(near, far)| far - near);
        Spread::of(added.collect()).map_or(f64::NAN, |spread| spread.median)
    }

    fn most() -> f64 {
        (ROUND_TRIP * (IMPORT_DEPTH + SPARE_ROUND_TRIPS)).as_secs_f64()
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.added() <= Self::most()
    }

    pub(crate) fn table(&self) -> String {
        let row = |origin: &str, times: &Vec<f64>| {
            let times = Spread::of(times.clone());
            let (shown, runs) = times.map_or((String::new(), 0), |times| (times.show(1e3, 1), times.runs));
            format!("| {origin} | {shown} | {runs} |\n")
        };
        format!(
            "| origin of Bootstrap 5.3 | ms from nothing to the style sheet | runs |\n|---|--:|--:|\n{}{}\
             | {ROUND_TRIP:?} away, grass asking serially ({} requests) | {:.1} | 1 |\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | what {ROUND_TRIP:?} of distance add, ms (imports are {IMPORT_DEPTH} deep) | {:.1} | ≤ {:.0} | {} |\n",
            row("on this machine", &self.near),
            row(&format!("{ROUND_TRIP:?} away"), &self.far),
            self.serial_requests,
            self.serial * 1e3,
            self.added() * 1e3,
            Self::most() * 1e3,
            verdict(self.is_reached()),
        )
    }
}
