//! What is true of this pod at the moment of a scrape.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::{fleet::Fleet, hold::Holds};

/// Asks holds and fleet whenever it is read.
pub(crate) struct Gauges {
    pub(crate) holds: Arc<Holds>,
    pub(crate) fleet: Arc<Fleet>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { holds, fleet } = self;
        let encoder = &mut encoder;
        encode(encoder, "assets_web_visitors_held", "Visitors who wait for a job", whole(holds.held()))?;
        encode(encoder, "assets_web_waits_held", "Pods that wait here as the owner", whole(holds.waits()))?;
        encode(encoder, "assets_web_holds_open", "Keys that somebody waits for", whole(holds.open()))?;
        let oldest = holds.oldest_wait().as_secs_f64();
        encode(encoder, "assets_web_oldest_wait_seconds", "The longest wait that is not over", oldest)?;
        encode(encoder, "assets_web_fleet_members", "Web pods that may own keys", whole(fleet.size()))
    }
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
