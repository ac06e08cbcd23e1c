//! The machine, as a reader of results needs to know it.

use std::fs;

use anyhow::Context;

/// Processor, cores and kernel.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let models: Vec<_> = processor.lines().filter_map(|line| line.strip_prefix("model name\t: ")).collect();
    let model = models.first().copied().unwrap_or("an unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {} cores, Linux {}", models.len(), kernel.trim())
}

/// Processes that want to run, averaged over a minute, those of the bench included.
pub fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read the machine's load")?;
    Ok(text.split(' ').next().context("no load")?.parse()?)
}
