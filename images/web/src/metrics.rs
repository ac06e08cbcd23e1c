//! The web tier's metrics, in the OpenMetrics text format.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Where an answer came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabels {
    /// `memory`, `store`, `held` or `none`.
    pub layer: &'static str,
    pub status: u16,
}

/// What ended a hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WayLabels {
    /// `direct`, `sns`, `recheck`, `owner`, `deadline`, `draining` or `failed`.
    pub way: &'static str,
}

/// What became of a message at `/work_complete`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SnsLabels {
    /// `notification`, `subscription-confirmation`, `unsubscribe-confirmation`, `repeated`, `refused`, or
    /// `unverified` where the signer's certificate could not be had.
    pub outcome: &'static str,
}

/// Which limit a request was refused by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    /// `requests`, `misses` or `cold-paths`.
    pub limit: &'static str,
}

/// Why a visitor was not held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    /// `tenant` or `total`, whose places were all taken; `put_out`, for a visitor of a tenant with fewer;
    /// `draining`.
    pub why: &'static str,
}

/// What came of waiting at a key's owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ForwardLabels {
    /// `answered`; `needless`, where the store had the answer first; `taken_over`, where another pod took
    /// this one for the owner; `deadline`; or why the next in rank was asked: `lost`, `refused`,
    /// `not_believed`, `not_accepted`.
    pub outcome: &'static str,
}

/// Counted by one web pod since its start.
pub struct WebMetrics {
    pub answers: Family<AnswerLabels, Counter>,
    /// The one of `answers` that hits from memory raise, without the family's lock.
    pub hits: Counter,
    pub visitors_refused: Family<RefusalLabels, Counter>,
    pub jobs_sent: Counter,
    pub holds_ended: Family<WayLabels, Counter>,
    pub forwards: Family<ForwardLabels, Counter>,
    pub notices: Family<WayLabels, Counter>,
    pub notices_relayed: Counter,
    pub notices_refused: Counter,
    pub purge_hints: Counter,
    pub sns_messages: Family<SnsLabels, Counter>,
    pub rate_limited: Family<LimitLabels, Counter>,
    pub breakers_open: Gauge,
}

impl WebMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let answers = Family::default();
        let hits = answers.get_or_create_owned(&AnswerLabels { layer: "memory", status: 200 });
        let metrics = Self {
            answers,
            hits,
            visitors_refused: Family::default(),
            jobs_sent: Counter::default(),
            holds_ended: Family::default(),
            forwards: Family::default(),
            notices: Family::default(),
            notices_relayed: Counter::default(),
            notices_refused: Counter::default(),
            purge_hints: Counter::default(),
            sns_messages: Family::default(),
            rate_limited: Family::default(),
            breakers_open: Gauge::default(),
        };
        let Self {
            answers,
            hits: _,
            visitors_refused,
            jobs_sent,
            holds_ended,
            forwards,
            notices,
            notices_relayed,
            notices_refused,
            purge_hints,
            sns_messages,
            rate_limited,
            breakers_open,
        } = &metrics;
        registry.register("assets_web_answers", "Answers by layer and status", answers.clone());
        registry.register(
            "assets_web_visitors_refused",
            "Visitors who were not held",
            visitors_refused.clone(),
        );
        registry.register("assets_web_jobs_sent", "Jobs sent to the queue", jobs_sent.clone());
        registry.register("assets_web_holds_ended", "Holds by what ended them", holds_ended.clone());
        registry.register("assets_web_forwards", "Waits at keys' owners by outcome", forwards.clone());
        registry.register("assets_web_notices", "Notices that were believed by way", notices.clone());
        registry.register(
            "assets_web_notices_relayed",
            "Notices passed on to the waiting pod",
            notices_relayed.clone(),
        );
        registry.register(
            "assets_web_notices_refused",
            "Notices and hints that were not believed",
            notices_refused.clone(),
        );
        registry.register(
            "assets_web_purge_hints",
            "Hints of purges that were followed",
            purge_hints.clone(),
        );
        registry.register("assets_web_sns_messages", "Messages of SNS by outcome", sns_messages.clone());
        registry.register(
            "assets_web_rate_limited",
            "Requests refused, and refreshes put off, by the limit of their tenant",
            rate_limited.clone(),
        );
        registry.register(
            "assets_web_breakers_open",
            "Origins that fail and are asked only now and then",
            breakers_open.clone(),
        );
        metrics
    }

    pub(crate) fn count_sns(&self, outcome: &'static str) {
        self.sns_messages.get_or_create(&SnsLabels { outcome }).inc();
    }
}
